/* Portable kernels: the reference of the others. */
#include "base/bitstring.h"
#include "kernels/kernels.h"

#define ALL_LANES 0xFFu

static uint32_t distance_at(const uint64_t *blocks, size_t words, size_t row,
                            const uint64_t *query) {
  const uint64_t *code = hr_code_at(blocks, words, row);
  uint32_t distance = 0;
  for (size_t w = 0; w < words; w++) distance += hr_popcount(code[w * HR_LANES] ^ query[w]);
  return distance;
}

static size_t scan_scalar(hr_pass *pass, hr_hit *hits) {
  size_t count = 0;
  for (; pass->block < pass->end; pass->block++) {
    if (count >= HR_ENOUGH_HITS) break;
    unsigned allowed = pass->allow ? pass->allow[pass->block] : ALL_LANES;
    if (!allowed) continue;
    for (uint32_t q = 0; q < pass->queries; q++) {
      for (size_t lane = 0; lane < HR_LANES; lane++) {
        if (!(allowed >> lane & 1)) continue;
        size_t row = pass->block * HR_LANES + lane;
        uint32_t distance = distance_at(pass->blocks, pass->words, row, pass->query[q]);
        if (distance < pass->limit[q])
          hits[count++] = (hr_hit){(uint32_t)row, (uint16_t)distance, (uint16_t)q};
      }
    }
  }
  return count;
}

static void distances_scalar(const uint64_t *blocks, size_t words, size_t count,
                             const uint64_t *query, uint16_t *out) {
  for (size_t row = 0; row < count * HR_LANES; row++)
    out[row] = (uint16_t)distance_at(blocks, words, row, query);
}

static void distances_at_scalar(const uint64_t *blocks, size_t words, const uint32_t *rows,
                                size_t count, const uint64_t *query, uint16_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = (uint16_t)distance_at(blocks, words, rows[i], query);
}

static void pack_mask_scalar(const uint8_t *flags, size_t count, uint8_t *bits) {
  for (size_t i = 0; i < count; i++) bits[i] = hr_pack_mask_byte(flags + 8 * i);
}

static size_t sketches_scalar(const uint32_t *sketches, size_t words, size_t count,
                              const uint32_t *query, uint32_t limit, uint32_t *hits) {
  size_t found = 0, i = 0;
  for (; i < count; i++) {
    uint32_t distance = 0;
    for (size_t w = 0; w < words; w++) distance += hr_popcount(sketches[i * words + w] ^ query[w]);
    hits[found] = (uint32_t)i;
    found += distance <= limit;
  }
  return found;
}

const hr_kernels hr_kernels_scalar = {"scalar",         scan_scalar,
                                      distances_scalar, distances_at_scalar,
                                      pack_mask_scalar, sketches_scalar};
