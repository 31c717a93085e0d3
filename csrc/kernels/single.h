/* One code or byte at a time, where a register has nothing to gain, or nothing is left for it.
 *
 * For the file of an instruction set, which says before by what TARGET it is compiled and how
 * POPCOUNT counts the bits of a word.
 */
#ifndef HR_SINGLE_H
#define HR_SINGLE_H

#include "kernels/kernels.h"

TARGET HR_INLINE uint32_t code_distance(const uint64_t *code, size_t words, const uint64_t *query) {
  uint32_t distance = 0;
  for (size_t w = 0; w < words; w++) distance += (uint32_t)POPCOUNT(code[w * HR_LANES] ^ query[w]);
  return distance;
}

TARGET HR_INLINE uint32_t sketch_distance(const uint32_t *a, const uint32_t *b, size_t words) {
  uint32_t distance = 0;
  for (size_t w = 0; w < words; w++) distance += (uint32_t)POPCOUNT(a[w] ^ b[w]);
  return distance;
}

TARGET static inline void distances_at(const uint64_t *blocks, size_t words, const uint32_t *rows,
                                       size_t count, const uint64_t *query, uint16_t *out) {
  for (size_t i = 0; i < count; i++)
    out[i] = (uint16_t)code_distance(hr_code_at(blocks, words, rows[i]), words, query);
}

/* Rows whose first words are fetched ahead; of random codes two words of a long one tell. */
#define ROWS_AHEAD 24
#define FIRST_WORDS 2

TARGET HR_INLINE void fetch_row(const hr_row_pass *pass, size_t i) {
  const uint64_t *code = hr_code_at(pass->blocks, pass->words, pass->rows[i]);
  for (size_t w = 0; w < FIRST_WORDS && w < pass->words; w++) HR_PREFETCH(code + w * HR_LANES);
}

TARGET static size_t scan_rows(const hr_row_pass *pass, hr_hit *hits) {
  size_t found = 0, first = pass->words < FIRST_WORDS ? pass->words : FIRST_WORDS;
  for (size_t i = 0; i < ROWS_AHEAD && i < pass->count; i++) fetch_row(pass, i);
  for (size_t i = 0; i < pass->count; i++) {
    if (i + ROWS_AHEAD < pass->count) fetch_row(pass, i + ROWS_AHEAD);
    const uint64_t *code = hr_code_at(pass->blocks, pass->words, pass->rows[i]);
    uint32_t distance = code_distance(code, first, pass->query);
    if (distance >= pass->limit) continue;
    distance += code_distance(code + first * HR_LANES, pass->words - first, pass->query + first);
    if (distance < pass->limit) hits[found++] = (hr_hit){pass->rows[i], (uint16_t)distance, 0};
  }
  return found;
}

/* The rows of block b that are hits of query q. */
TARGET static inline size_t take_hits(const hr_pass *pass, size_t b, uint32_t q, hr_hit *hits) {
  unsigned allowed = pass->allow ? pass->allow[b] : 0xFFu;
  size_t count = 0;
  for (size_t row = b * HR_LANES; allowed; row++, allowed >>= 1) {
    if (!(allowed & 1)) continue;
    const uint64_t *code = hr_code_at(pass->blocks, pass->words, row);
    uint32_t distance = code_distance(code, pass->words, pass->query[q]);
    if (distance < pass->limit[q])
      hits[count++] = (hr_hit){(uint32_t)row, (uint16_t)distance, (uint16_t)q};
  }
  return count;
}

/* Each flag becomes 0 or 1, and a multiplication moves the j-th to bit 56 + j, alone. */
static inline void pack_mask(const uint8_t *flags, size_t count, uint8_t *bits) {
  const uint64_t low = 0x7F7F7F7F7F7F7F7Fu;
  for (size_t i = 0; i < count; i++, flags += 8) {
    uint64_t bytes = 0;
    for (unsigned j = 0; j < 8; j++) bytes |= (uint64_t)flags[j] << 8 * j;
    bytes = ((((bytes & low) + low) | bytes) & ~low) >> 7;
    bits[i] = (uint8_t)(bytes * 0x0102040810204080u >> 56);
  }
}

#endif
