/* Portable kernels: the reference of the others. */
#include "kernels/kernels.h"

#define ALL_LANES 0xFFu

static uint32_t popcount64(uint64_t x) {
  x -= (x >> 1) & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
  return (uint32_t)((x * 0x0101010101010101u) >> 56);
}

static uint32_t lane_distance(const uint64_t *block, size_t words, const uint64_t *query,
                              size_t lane) {
  uint32_t distance = 0;
  for (size_t w = 0; w < words; w++) distance += popcount64(block[w * HR_LANES + lane] ^ query[w]);
  return distance;
}

static size_t scan_scalar(hr_pass *pass, hr_hit *hits) {
  size_t count = 0;
  for (; pass->block < pass->end; pass->block++) {
    if (count >= HR_ENOUGH_HITS) break;
    const uint64_t *block = pass->blocks + pass->block * pass->words * HR_LANES;
    unsigned allowed = pass->allow ? pass->allow[pass->block] : ALL_LANES;
    if (!allowed) continue;
    for (uint32_t q = 0; q < pass->queries; q++) {
      for (size_t lane = 0; lane < HR_LANES; lane++) {
        if (!(allowed >> lane & 1)) continue;
        uint32_t distance = lane_distance(block, pass->words, pass->query[q], lane);
        if (distance >= pass->limit[q]) continue;
        hits[count++] =
            (hr_hit){(uint32_t)(pass->block * HR_LANES + lane), (uint16_t)distance, (uint16_t)q};
      }
    }
  }
  return count;
}

static void distances_scalar(const uint64_t *blocks, size_t words, size_t count,
                             const uint64_t *query, uint16_t *out) {
  for (size_t b = 0; b < count; b++)
    for (size_t lane = 0; lane < HR_LANES; lane++)
      out[b * HR_LANES + lane] =
          (uint16_t)lane_distance(blocks + b * words * HR_LANES, words, query, lane);
}

static void distances_at_scalar(const uint64_t *blocks, size_t words, const uint32_t *rows,
                                size_t count, const uint64_t *query, uint16_t *out) {
  for (size_t i = 0; i < count; i++)
    out[i] = (uint16_t)lane_distance(blocks + rows[i] / HR_LANES * words * HR_LANES, words, query,
                                     rows[i] % HR_LANES);
}

static void pack_mask_scalar(const uint8_t *flags, size_t count, uint8_t *bits) {
  for (size_t i = 0; i < count; i++) bits[i] = hr_pack_mask_byte(flags + 8 * i);
}

static size_t sketches_scalar(const uint32_t *sketches, size_t words, size_t count,
                              const uint32_t *query, uint32_t limit, uint32_t *hits) {
  size_t found = 0, i = 0;
  for (; i < count; i++) {
    uint32_t distance = 0;
    for (size_t w = 0; w < words; w++) distance += popcount64(sketches[i * words + w] ^ query[w]);
    hits[found] = (uint32_t)i;
    found += distance <= limit;
  }
  return found;
}

const hr_kernels hr_kernels_scalar = {"scalar",         scan_scalar,
                                      distances_scalar, distances_at_scalar,
                                      pack_mask_scalar, sketches_scalar};
