/* Scanning strips by AVX2: 64 codes and four queries at a time.
 *
 * Cost of a byte of 64 codes: two loads and six operations to split it into nibbles, and for each
 * query two loads of tables, four look-ups and four additions: 48 operations for 256 distances, so
 * that one to a code of one word takes 1.5, where counting the bits of each (hamming_avx2.c) takes
 * 2.3. As compiled (gcc 12) the loop has 60 instructions: two of the eight sums are kept in memory.
 * The 16 look-ups alone take 8 cycles where there are two ports for them. A look at the sums of
 * heads is 16 operations, a third as much as a byte.
 */
#include "kernels/strips_avx2.h"

#include "kernels/strips.h"

#ifdef HR_X86
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#define TARGET HR_TARGET("avx2,popcnt")
#define HALF 32 /* rows a register */

/* Eight rows of one word become eight bytes of a strip each, HR_STRIP apart. */
TARGET HR_INLINE void put_block(const uint64_t *word, uint8_t *strip) {
  __m128i pairs[4], fours[4];
  for (size_t i = 0; i < 4; i++) {
    __m128i two = _mm_loadu_si128((const __m128i *)(word + 2 * i));
    pairs[i] = _mm_unpacklo_epi8(two, _mm_srli_si128(two, 8));
  }
  for (size_t i = 0; i < 4; i += 2) {
    fours[i] = _mm_unpacklo_epi16(pairs[i], pairs[i + 1]);
    fours[i + 1] = _mm_unpackhi_epi16(pairs[i], pairs[i + 1]);
  }
  for (size_t i = 0; i < 2; i++, strip += 4 * HR_STRIP) {
    __m128i low = _mm_unpacklo_epi32(fours[i], fours[i + 2]);
    __m128i high = _mm_unpackhi_epi32(fours[i], fours[i + 2]);
    _mm_storel_epi64((__m128i *)strip, low);
    _mm_storel_epi64((__m128i *)(strip + HR_STRIP), _mm_srli_si128(low, 8));
    _mm_storel_epi64((__m128i *)(strip + 2 * HR_STRIP), high);
    _mm_storel_epi64((__m128i *)(strip + 3 * HR_STRIP), _mm_srli_si128(high, 8));
  }
}

TARGET void hr_avx2_to_strips(const uint64_t *blocks, size_t words, size_t count, uint8_t *strips) {
  size_t size = words * sizeof(uint64_t) * HR_STRIP;
  if (count % HR_STRIP_BLOCKS) memset(strips + count / HR_STRIP_BLOCKS * size, 0, size);
  for (size_t b = 0; b < count; b++) {
    uint8_t *strip = strips + b / HR_STRIP_BLOCKS * size + b % HR_STRIP_BLOCKS * HR_LANES;
    for (size_t w = 0; w < words; w++)
      put_block(blocks + (b * words + w) * HR_LANES, strip + w * sizeof(uint64_t) * HR_STRIP);
  }
}

typedef struct {
  __m256i half[HR_GROUP][2];
} sums;

/* Adds what nibbles of 64 rows, `shift` bits up in their bytes, are from those of four queries. */
TARGET HR_INLINE void add_nibbles(const uint8_t *bytes, int shift, const uint8_t *near,
                                  size_t stride, sums *s) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i first = _mm256_loadu_si256((const __m256i *)bytes);
  __m256i second = _mm256_loadu_si256((const __m256i *)(bytes + HALF));
  first = _mm256_and_si256(_mm256_srli_epi16(first, shift), nibble);
  second = _mm256_and_si256(_mm256_srli_epi16(second, shift), nibble);
  for (size_t q = 0; q < HR_GROUP; q++, near += stride) {
    __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)near));
    s->half[q][0] = _mm256_adds_epu8(s->half[q][0], _mm256_shuffle_epi8(table, first));
    s->half[q][1] = _mm256_adds_epu8(s->half[q][1], _mm256_shuffle_epi8(table, second));
  }
}

/* Adds to the distances of 64 rows to four queries what bytes [from, end) make, codes of so many
 * words; all from 255 on are 255. */
TARGET HR_INLINE void add_bytes(size_t words, size_t from, size_t end, const uint8_t *strip,
                                const uint8_t *near, sums *s) {
  size_t stride = HR_NEAR_BYTES(words);
  for (size_t p = from; p < end; p++) {
    add_nibbles(strip + p * HR_STRIP, 0, near + p * HR_NEAR_BYTE, stride, s);
    add_nibbles(strip + p * HR_STRIP, 4, near + p * HR_NEAR_BYTE + 16, stride, s);
  }
}

/* Whether no row is nearer than the limit of any query. */
TARGET HR_INLINE bool all_beyond(const sums *s, const __m256i *limit) {
  __m256i far = _mm256_set1_epi8(-1);
  for (size_t q = 0; q < HR_GROUP; q++) {
    __m256i least = _mm256_min_epu8(s->half[q][0], s->half[q][1]);
    far = _mm256_and_si256(far, _mm256_cmpeq_epi8(_mm256_max_epu8(least, limit[q]), least));
  }
  return _mm256_movemask_epi8(far) == -1;
}

/* The rows of a strip that are nearer than a limit. */
TARGET HR_INLINE uint64_t rows_below(const __m256i *half, __m256i limit) {
  uint64_t rows = 0;
  for (size_t h = 0; h < 2; h++) {
    __m256i far = _mm256_cmpeq_epi8(_mm256_max_epu8(half[h], limit), half[h]);
    rows |= (uint64_t)~(uint32_t)_mm256_movemask_epi8(far) << 32 * h;
  }
  return rows;
}

TARGET static size_t take_rows(const __m256i *half, uint64_t rows, size_t first, uint32_t q,
                               hr_hit *hits) {
  uint8_t distance[HR_STRIP];
  size_t count = 0;
  for (size_t h = 0; h < 2; h++) _mm256_storeu_si256((__m256i *)(distance + h * HALF), half[h]);
  for (; rows; rows &= rows - 1) {
    size_t row = (size_t)_mm_popcnt_u64((rows & (~rows + 1)) - 1);
    hits[count++] = (hr_hit){(uint32_t)(first + row), distance[row], (uint16_t)q};
  }
  return count;
}

TARGET HR_INLINE size_t pass_strips(size_t words, hr_pass *pass, hr_hit *hits) {
  size_t bytes = words * sizeof(uint64_t), size = bytes * HR_STRIP, count = 0;
  size_t head = words >= HR_HEAD_WORDS ? pass->head : 0;
  __m256i limit[HR_GROUP];
  for (uint32_t q = 0; q < HR_GROUP; q++) limit[q] = _mm256_set1_epi8((char)pass->limit[q]);
  for (; pass->block < pass->end && count < HR_ENOUGH_HITS; pass->block += HR_STRIP_BLOCKS) {
    uint64_t wanted = hr_strip_rows(pass);
    if (!wanted) continue;
    sums s;
    for (uint32_t q = 0; q < HR_GROUP; q++) s.half[q][0] = s.half[q][1] = _mm256_setzero_si256();
    size_t strip = (pass->block - pass->first) / HR_STRIP_BLOCKS;
    if (head) {
      add_bytes(words, 0, head, pass->strips + strip * size, pass->near, &s);
      if (all_beyond(&s, limit)) {
        pass->left += HR_STRIP_BLOCKS * HR_GROUP;
        continue;
      }
    }
    add_bytes(words, head, bytes, pass->strips + strip * size, pass->near, &s);
    for (uint32_t q = 0; q < HR_GROUP; q++) {
      uint64_t rows = rows_below(s.half[q], limit[q]) & wanted;
      if (HR_UNLIKELY(rows))
        count += take_rows(s.half[q], rows, pass->block * HR_LANES, q, hits + count);
    }
  }
  if (pass->block > pass->end) pass->block = pass->end;
  return count;
}

TARGET size_t hr_avx2_scan_strips(hr_pass *pass, hr_hit *hits) {
  return HR_BY_WIDTH(pass_strips, pass->words, pass, hits);
}
#endif
