/* Codes as bit strings: bit 0 is the first and the most significant. */
#ifndef HR_BITSTRING_H
#define HR_BITSTRING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#include <stdlib.h>
static inline uint64_t hr_swap_bytes(uint64_t x) { return _byteswap_uint64(x); }
/* The number of the lowest bit that is set, of x > 0. */
static inline uint32_t hr_lowest_bit(uint64_t x) {
  unsigned long number;
  _BitScanForward64(&number, x);
  return (uint32_t)number;
}
#else
static inline uint64_t hr_swap_bytes(uint64_t x) { return __builtin_bswap64(x); }
/* The number of the lowest bit that is set, of x > 0. */
static inline uint32_t hr_lowest_bit(uint64_t x) { return (uint32_t)__builtin_ctzll(x); }
#endif

/* The word that at most eight bytes are, little-endian on every machine. */
static inline uint64_t hr_load_word(const uint8_t *bytes, size_t size) {
  uint64_t word = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (size_t i = 0; i < size; i++) word |= (uint64_t)bytes[i] << 8 * i;
#else
  memcpy(&word, bytes, size);
#endif
  return word;
}

/* Bits [start, start + width) of a code as a number, first bit highest; width is 1 to 64.
 * Words are `stride` apart. Byte order turns bit order: bit 0 is the first byte's highest. */
static inline uint64_t hr_substring(const uint64_t *words, size_t stride, uint32_t start,
                                    uint32_t width) {
  uint32_t word = start / 64, offset = start % 64;
  uint64_t bits = hr_swap_bytes(words[word * stride]) << offset;
  if (offset + width > 64) bits |= hr_swap_bytes(words[(word + 1) * stride]) >> (64 - offset);
  return bits >> (64 - width);
}

/* The next greater number with as many ones, of x > 0 (Gosper; HAKMEM item 175). */
static inline uint64_t hr_next_combination(uint64_t x) {
  uint64_t carried = x + (x & (~x + 1));
  return carried | (x ^ carried) >> 2 >> hr_lowest_bit(x);
}

/* Portable: instruction sets differ in it, and it is used where few bits are counted. */
static inline uint32_t hr_popcount(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
  return (uint32_t)(x * 0x0101010101010101u >> 56);
}

#endif
