/* Portable kernels: the reference of the others. */
#include "base/bitstring.h"

#define TARGET
#define POPCOUNT(x) hr_popcount(x)
#include "kernels/single.h"

static size_t scan_scalar(hr_pass *pass, hr_hit *hits) {
  size_t count = 0;
  for (; pass->block < pass->end && count < HR_ENOUGH_HITS; pass->block++)
    for (uint32_t q = 0; q < pass->queries; q++)
      count += take_hits(pass, pass->block, q, hits + count);
  return count;
}

static void distances_scalar(const uint64_t *blocks, size_t words, size_t count,
                             const uint64_t *query, uint16_t *out) {
  for (size_t row = 0; row < count * HR_LANES; row++)
    out[row] = (uint16_t)code_distance(hr_code_at(blocks, words, row), words, query);
}

static size_t sketches_scalar(const uint32_t *sketches, size_t words, size_t count,
                              const uint32_t *query, uint32_t limit, uint32_t *hits) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    hits[found] = (uint32_t)i;
    found += sketch_distance(sketches + i * words, query, words) <= limit;
  }
  return found;
}

const hr_kernels hr_kernels_scalar = {
    .name = "scalar",
    .scan = scan_scalar,
    .distances = distances_scalar,
    .distances_at = distances_at,
    .scan_rows = scan_rows,
    .pack_mask = pack_mask,
    .sketches = sketches_scalar,
};
