/* AVX2: nibble counts by table look-up (Mula, Kurz and Lemire 2018), eight
 * bytes of a row summed by VPSADBW. Two registers are one word of eight rows.
 *
 * Cost of four distances to codes of one word: nine operations on three ports,
 * so at least 3 cycles. Measured on a Xeon of 2023 (2.3 GHz) in batches: 2.9,
 * that is 3.2 G distances/s.
 *
 * A word of a block takes 18 operations, a look at the sums of heads 5, and a branch that was not
 * foreseen about 18 cycles, as long as 24 bytes of eight codes.
 */
#include "kernels/kernels.h"
#include "kernels/strips_avx2.h"

#ifdef HR_X86
#include <immintrin.h>
#include <string.h>

#define TARGET HR_TARGET("avx2,popcnt")
#define POPCOUNT(x) _mm_popcnt_u64(x)
#include "kernels/single.h"

#define HALF 4 /* rows a register */

/* Bytes from here to what is fetched for a lone query, which waits for memory. */
#define AHEAD 4096

TARGET HR_INLINE void fetch_lines(const uint64_t *block, size_t lines) {
  for (size_t line = 0; line < lines; line++)
    _mm_prefetch((const char *)(block + line * HR_LANES) + AHEAD, _MM_HINT_T0);
}

TARGET HR_INLINE __m256i byte_counts(__m256i x) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2,
                                         1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble));
  __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
  return _mm256_add_epi8(low, high);
}

/* Distances of four rows to one query, of their words [from, words). A byte holds
 * counts of up to 8 bits a word, so 31 words may be summed before it overflows. */
TARGET HR_INLINE __m256i part_distance(const uint64_t *half, size_t from, size_t words,
                                       const uint64_t *query) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i sum = zero;
  for (size_t w = from; w < words;) {
    __m256i bytes = zero;
    size_t stop = words - w > 31 ? w + 31 : words;
    for (; w < stop; w++) {
      __m256i x = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(half + w * HR_LANES)),
                                   _mm256_set1_epi64x((long long)query[w]));
      bytes = _mm256_add_epi8(bytes, byte_counts(x));
    }
    sum = _mm256_add_epi64(sum, _mm256_sad_epu8(bytes, zero));
  }
  return sum;
}

TARGET HR_INLINE __m256i half_distance(const uint64_t *half, size_t words, const uint64_t *query) {
  return part_distance(half, 0, words, query);
}

TARGET HR_INLINE unsigned half_below(__m256i distance, __m256i limit) {
  __m256i less = _mm256_cmpgt_epi64(limit, distance);
  return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(less));
}

/* As take_hits, which would count the bits of a long code word by word. */
TARGET static size_t take_block(const hr_pass *pass, size_t b, uint32_t q, hr_hit *hits) {
  uint64_t distance[HR_LANES];
  const uint64_t *block = pass->blocks + b * pass->words * HR_LANES;
  for (size_t lane = 0; lane < HR_LANES; lane += HALF)
    _mm256_storeu_si256((__m256i *)(distance + lane),
                        half_distance(block + lane, pass->words, pass->query[q]));
  unsigned allowed = pass->allow ? pass->allow[b] : 0xFFu;
  size_t count = 0;
  for (uint32_t lane = 0; lane < HR_LANES; lane++)
    if ((allowed >> lane & 1) && distance[lane] < pass->limit[q])
      hits[count++] =
          (hr_hit){(uint32_t)b * HR_LANES + lane, (uint16_t)distance[lane], (uint16_t)q};
  return count;
}

TARGET HR_INLINE size_t pass_blocks(hr_pass *pass, hr_hit *hits, size_t words, uint32_t queries,
                                    size_t blocks) {
  size_t b = pass->block, count = 0;
  uint64_t query[HR_GROUP][4];
  const uint64_t *code[HR_GROUP];
  __m256i limit[HR_GROUP];
  for (uint32_t q = 0; q < queries; q++) {
    code[q] = pass->query[q];
    if (words <= 4) {
      for (size_t w = 0; w < words; w++) query[q][w] = pass->query[q][w];
      code[q] = query[q];
    }
    limit[q] = _mm256_set1_epi64x(pass->limit[q]);
  }
  for (; b + blocks <= pass->end; b += blocks) {
    if (pass->allow) {
      unsigned any = 0;
      for (size_t i = 0; i < blocks; i++) any |= pass->allow[b + i];
      if (!any) continue;
    }
    const uint64_t *block = pass->blocks + b * words * HR_LANES;
    if (queries == 1) fetch_lines(block, blocks * words);
    for (uint32_t q = 0; q < queries; q++) {
      /* Distances are below 2^32: the 32-bit minimum is the 64-bit one. */
      __m256i least = _mm256_set1_epi64x(INT32_MAX);
      for (size_t i = 0; i < blocks; i++)
        for (size_t lane = 0; lane < HR_LANES; lane += HALF)
          least = _mm256_min_epu32(
              least, half_distance(block + i * words * HR_LANES + lane, words, code[q]));
      if (HR_UNLIKELY(half_below(least, limit[q])))
        for (size_t i = 0; i < blocks; i++) count += take_block(pass, b + i, q, hits + count);
    }
    if (HR_UNLIKELY(count >= HR_ENOUGH_HITS)) {
      b += blocks;
      break;
    }
  }
  pass->block = b;
  return count;
}

/* As pass_blocks, but leaves a block where its heads are beyond the limit already. */
TARGET HR_INLINE size_t pass_heads(size_t head, size_t words, hr_pass *pass, hr_hit *hits) {
  size_t count = 0;
  for (; pass->block < pass->end && count < HR_ENOUGH_HITS; pass->block++) {
    const uint64_t *first = pass->blocks + pass->block * words * HR_LANES, *second = first + HALF;
    if (pass->allow && !pass->allow[pass->block]) continue;
    if (pass->queries == 1) fetch_lines(first, head);
    for (uint32_t q = 0; q < pass->queries; q++) {
      const uint64_t *query = pass->query[q];
      __m256i limit = _mm256_set1_epi64x(pass->limit[q]);
      __m256i left = half_distance(first, head, query), right = half_distance(second, head, query);
      if (!half_below(_mm256_min_epu32(left, right), limit)) {
        pass->left++;
        continue;
      }
      left = _mm256_add_epi64(left, part_distance(first, head, words, query));
      right = _mm256_add_epi64(right, part_distance(second, head, words, query));
      if (HR_UNLIKELY(half_below(_mm256_min_epu32(left, right), limit)))
        count += take_block(pass, pass->block, q, hits + count);
    }
  }
  return count;
}

TARGET HR_INLINE size_t pass_width(size_t words, hr_pass *pass, hr_hit *hits) {
  size_t head = words >= HR_HEAD_WORDS ? pass->head / sizeof(uint64_t) : 0;
  if (head) return HR_BY_HEAD(pass_heads, head, words, pass, hits);
  size_t blocks = words == 1 ? 2 : 1;
  if (pass->end - pass->block < blocks) blocks = 1;
  if (pass->queries == 1) return pass_blocks(pass, hits, words, 1, blocks);
  return pass_blocks(pass, hits, words, HR_GROUP, blocks);
}

TARGET static size_t scan_avx2(hr_pass *pass, hr_hit *hits) {
  return HR_BY_WIDTH(pass_width, pass->words, pass, hits);
}

/* Distances of two blocks as 16 halfwords in the order of their rows: the
 * second block's go to the high half of each lane, packing drops the zeros,
 * and two shuffles sort what packing within halves of a register has mixed. */
TARGET HR_INLINE __m256i two_blocks(const uint64_t *block, size_t words, const uint64_t *query) {
  const uint64_t *next = block + words * HR_LANES;
  const __m256i pairs = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1,
                                         4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  __m256i left = _mm256_or_si256(half_distance(block, words, query),
                                 _mm256_slli_epi64(half_distance(next, words, query), 32));
  __m256i right = _mm256_or_si256(half_distance(block + HALF, words, query),
                                  _mm256_slli_epi64(half_distance(next + HALF, words, query), 32));
  __m256i mixed = _mm256_shuffle_epi8(_mm256_packus_epi32(left, right), pairs);
  return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

TARGET HR_INLINE void write_blocks(size_t words, const uint64_t *blocks, size_t count,
                                   const uint64_t *query, uint16_t *out) {
  size_t b = 0;
  for (; b + 2 <= count; b += 2)
    _mm256_storeu_si256((__m256i *)(out + b * HR_LANES),
                        two_blocks(blocks + b * words * HR_LANES, words, query));
  if (b == count) return;
  uint64_t distance[HR_LANES];
  for (size_t lane = 0; lane < HR_LANES; lane += HALF)
    _mm256_storeu_si256((__m256i *)(distance + lane),
                        half_distance(blocks + b * words * HR_LANES + lane, words, query));
  for (size_t lane = 0; lane < HR_LANES; lane++)
    out[b * HR_LANES + lane] = (uint16_t)distance[lane];
}

TARGET static void distances_avx2(const uint64_t *blocks, size_t words, size_t count,
                                  const uint64_t *query, uint16_t *out) {
  HR_BY_WIDTH(write_blocks, words, blocks, count, query, out);
}

TARGET static void pack_mask_avx2(const uint8_t *flags, size_t count, uint8_t *bits) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(flags + 8 * i));
    __m256i zero = _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256());
    uint32_t set = ~(uint32_t)_mm256_movemask_epi8(zero);
    memcpy(bits + i, &set, sizeof set);
  }
  pack_mask(flags + 8 * i, count - i, bits + i);
}

/* Appends the numbers of the lanes in `within`. */
TARGET HR_INLINE size_t put_indices(unsigned within, size_t first, uint32_t *hits) {
  size_t found = 0;
  for (; within; within &= within - 1)
    hits[found++] = (uint32_t)(first + (size_t)_mm_popcnt_u32((within & (~within + 1)) - 1));
  return found;
}

TARGET static size_t sketches_avx2(const uint32_t *sketches, size_t words, size_t count,
                                   const uint32_t *query, uint32_t limit, uint32_t *hits) {
  size_t found = 0, i = 0, lanes = words <= 2 ? 8 / words : 0;
  uint64_t both = words == 2 ? (uint64_t)query[1] << 32 | query[0] : 0;
  __m256i own = words == 1 ? _mm256_set1_epi32((int)query[0]) : _mm256_set1_epi64x((long long)both);
  for (; lanes && i + lanes <= count; i += lanes) {
    __m256i x = _mm256_loadu_si256((const __m256i *)(sketches + i * words));
    __m256i bytes = byte_counts(_mm256_xor_si256(x, own));
    unsigned within;
    if (words == 1) {
      __m256i pairs = _mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1));
      __m256i far = _mm256_cmpgt_epi32(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)),
                                       _mm256_set1_epi32((int)limit));
      within = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(far)) & 0xFFu;
    } else {
      __m256i far = _mm256_cmpgt_epi64(_mm256_sad_epu8(bytes, _mm256_setzero_si256()),
                                       _mm256_set1_epi64x(limit));
      within = ~(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(far)) & 0xFu;
    }
    if (HR_UNLIKELY(within)) found += put_indices(within, i, hits + found);
  }
  for (; i < count; i++) {
    hits[found] = (uint32_t)i;
    found += sketch_distance(sketches + i * words, query, words) <= limit;
  }
  return found;
}

const hr_kernels hr_kernels_avx2 = {
    .name = "avx2",
    .scan = scan_avx2,
    .distances = distances_avx2,
    .distances_at = distances_at,
    .scan_rows = scan_rows,
    .pack_mask = pack_mask_avx2,
    .sketches = sketches_avx2,
    .to_strips = hr_avx2_to_strips,
    .scan_strips = hr_avx2_scan_strips,
    .heads = {[HR_LONE] = {2, 16}, [HR_GROUPED] = {2, 24}, [HR_STRIPS] = {1, 2}},
};
#endif
