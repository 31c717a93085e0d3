/* Packed codes, and blocks of them. */
#include "storage/blocks.h"

#include "base/memory.h"

uint64_t *hr_blocks_alloc(size_t codes, size_t words) {
  size_t blocks = hr_block_count(codes), block = hr_block_bytes(1, words);
  if (blocks > SIZE_MAX / block) return NULL;
  uint64_t *opened = hr_alloc_aligned(blocks * block);
  if (opened && blocks) memset((char *)opened + (blocks - 1) * block, 0, block);
  return opened;
}

void hr_words_load(const uint8_t *code, uint32_t bits, uint64_t *words) {
  size_t bytes = ((size_t)bits + 7) / 8, full = bytes / 8;
  for (size_t w = 0; w < full; w++) words[w] = hr_load_word(code + w * 8, 8);
  if (bytes % 8) words[full] = hr_load_word(code + full * 8, bytes % 8);
}

/* The last word of a code: its neighbours' bytes are masked off, except at the
 * end of the codes, past which nothing may be read. */
static uint64_t load_rest(const uint8_t *bytes, size_t size, const uint8_t *end) {
  if ((size_t)(end - bytes) < sizeof(uint64_t)) return hr_load_word(bytes, size);
  return hr_load_word(bytes, sizeof(uint64_t)) & (~(uint64_t)0 >> (64 - 8 * size));
}

void hr_blocks_fill(uint64_t *blocks, uint32_t bits, size_t row, const uint8_t *codes, size_t n) {
  size_t words = ((size_t)bits + 63) / 64, bytes = ((size_t)bits + 7) / 8, full = bytes / 8,
         rest = bytes % 8;
  const uint8_t *end = codes + n * bytes;
  for (; n--; row++, codes += bytes) {
    uint64_t *block = (uint64_t *)hr_code_at(blocks, words, row);
    for (size_t w = 0; w < full; w++) block[w * HR_LANES] = hr_load_word(codes + w * 8, 8);
    if (rest) block[full * HR_LANES] = load_rest(codes + full * 8, rest, end);
  }
}

void hr_words_store(const uint64_t *words, uint32_t bits, uint8_t *code) {
  for (size_t i = 0; i < ((size_t)bits + 7) / 8; i++)
    code[i] = (uint8_t)(words[i / 8 * HR_LANES] >> i % 8 * 8);
}
