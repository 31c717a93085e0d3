/* Codes in and out of blocks, whose layout kernels.h tells. */
#ifndef HR_BLOCKS_H
#define HR_BLOCKS_H

#include <stdbool.h>
#include <string.h>

#include "base/bitstring.h"
#include "kernels/kernels.h"

static inline size_t hr_block_bytes(size_t codes, size_t words) {
  return hr_block_count(codes) * words * HR_LANES * sizeof(uint64_t);
}
/* Blocks for so many codes, the last of them zero; NULL when out of memory. For hr_free_aligned. */
uint64_t *hr_blocks_alloc(size_t codes, size_t words);

/* Copies the words of a code, HR_LANES apart, to a row. */
static inline void hr_blocks_put(uint64_t *blocks, size_t words, size_t row, const uint64_t *code) {
  uint64_t *to = (uint64_t *)hr_code_at(blocks, words, row);
  for (size_t w = 0; w < words; w++) to[w * HR_LANES] = code[w * HR_LANES];
}
/* Copies the words of a code, HR_LANES apart, side by side. */
static inline void hr_words_gather(const uint64_t *code, size_t words, uint64_t *out) {
  for (size_t w = 0; w < words; w++) out[w] = code[w * HR_LANES];
}
/* Below, at or above zero: the order as bit strings of a code, its words HR_LANES apart, and
 * another, its words `stride` apart. */
static inline int hr_words_compare(const uint64_t *code, const uint64_t *other, size_t stride,
                                   size_t words) {
  for (size_t w = 0; w < words; w++) {
    uint64_t a = hr_swap_bytes(code[w * HR_LANES]), b = hr_swap_bytes(other[w * stride]);
    if (a != b) return a < b ? -1 : 1;
  }
  return 0;
}

/* Writes n packed codes into blocks, from a row on. */
void hr_blocks_fill(uint64_t *blocks, uint32_t bits, size_t row, const uint8_t *codes, size_t n);
/* Little-endian words of a packed code, and back from words HR_LANES apart. */
void hr_words_load(const uint8_t *code, uint32_t bits, uint64_t *words);
void hr_words_store(const uint64_t *words, uint32_t bits, uint8_t *code);

#endif
