/* AVX-512 with VPOPCNTDQ: one register is the same word of eight rows.
 *
 * Cost of a step, four blocks of one word and four queries: 16 VPXORQ, 16
 * VPOPCNTQ, 12 VPMINUD and 4 VPCMPUQ share two ports, so at least 24 cycles for
 * 128 distances. Measured on a Xeon of 2023 (2.3 GHz) with the tile in L2: 25,
 * that is 12 G distances/s. One query makes 6 cycles of work from 256 bytes and
 * so waits for memory: 27 GB/s from L3, 15 from beyond.
 *
 * A word of a block takes three operations, 1.5 cycles, a look at the sums of heads as much as
 * two words, and a branch that was not foreseen as much as twelve. One query waits for memory
 * meanwhile, and whether it is spared what it does not read the clock tells (heads.h).
 */
#include "kernels/kernels.h"

#ifdef HR_X86
#include <immintrin.h>
#include <string.h>

#define TARGET HR_TARGET("avx512f,avx512vl,avx512bw,avx512vpopcntdq,popcnt")
#define POPCOUNT(x) _mm_popcnt_u64(x)
#include "kernels/single.h"

/* Bytes from here to what is fetched: a page, since the hardware's own streams
 * end with each. One query on 48 million codes of 64 bits: 12.9 GB/s without,
 * 14.1, 16.0, 14.3, 14.9 at 2, 4, 8 and 16 KiB, where memchr reads 14.2; the
 * non-temporal hint halves the speed. */
#define AHEAD 4096

/* Distances of one block to one query, a row a lane, of their words [from, words). */
TARGET HR_INLINE __m512i part_distance(const uint64_t *block, size_t from, size_t words,
                                       const uint64_t *query) {
  __m512i sum = _mm512_setzero_si512();
  for (size_t w = from; w < words; w++) {
    __m512i x = _mm512_xor_si512(_mm512_loadu_si512(block + w * HR_LANES),
                                 _mm512_set1_epi64((long long)query[w]));
    sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(x));
  }
  return sum;
}

TARGET HR_INLINE __m512i block_distance(const uint64_t *block, size_t words,
                                        const uint64_t *query) {
  return part_distance(block, 0, words, query);
}

/* The rare path: some row of this block may be below the limit of query q. */
TARGET static size_t take_block(const hr_pass *pass, size_t b, uint32_t q, hr_hit *hits) {
  const uint64_t *block = pass->blocks + b * pass->words * HR_LANES;
  __m512i distance = block_distance(block, pass->words, pass->query[q]);
  unsigned mask = _mm512_cmplt_epu64_mask(distance, _mm512_set1_epi64(pass->limit[q]));
  if (pass->allow) mask &= pass->allow[b];
  /* Row, distance and query are the three fields of a hit, low to high. */
  __m512i row = _mm512_add_epi64(_mm512_set1_epi64((long long)(b * HR_LANES)),
                                 _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  __m512i hit = _mm512_or_si512(_mm512_or_si512(row, _mm512_slli_epi64(distance, 32)),
                                _mm512_set1_epi64((long long)q << 48));
  /* Zen 4 takes 140 cycles to compress into memory, 2 to compress a register;
   * a step leaves room for whole registers. */
  _mm512_storeu_si512(hits, _mm512_maskz_compress_epi64((__mmask8)mask, hit));
  return (size_t)_mm_popcnt_u32(mask);
}

/* The same for a lone lane of several blocks, the usual case: a third of the
 * work of the vectors. */
TARGET HR_INLINE size_t take_lane(const hr_pass *pass, size_t b, size_t blocks, size_t words,
                                  uint32_t q, size_t lane, hr_hit *hits) {
  size_t count = 0;
  for (size_t i = b; i < b + blocks; i++) {
    const uint64_t *code = pass->blocks + i * words * HR_LANES + lane;
    uint32_t distance = code_distance(code, words, pass->query[q]);
    unsigned allowed = pass->allow ? pass->allow[i] >> lane & 1u : 1u;
    hits[count] = (hr_hit){(uint32_t)(i * HR_LANES + lane), (uint16_t)distance, (uint16_t)q};
    count += allowed & (distance < pass->limit[q]);
  }
  return count;
}

/* Hits of a step: bit 8q + l of `lanes` says that query q has one in lane l. */
TARGET HR_INLINE size_t take_step(const hr_pass *pass, size_t b, size_t blocks, size_t words,
                                  uint32_t lanes, hr_hit *hits) {
  if (!(lanes & (lanes - 1))) {
    uint32_t bit = (uint32_t)_mm_popcnt_u32(lanes - 1);
    return take_lane(pass, b, blocks, words, bit / HR_LANES, bit % HR_LANES, hits);
  }
  size_t count = 0;
  for (uint32_t q = 0; q < HR_GROUP; q++)
    for (size_t i = 0; (lanes >> q * HR_LANES & 0xFF) && i < blocks; i++)
      count += take_block(pass, b + i, q, hits + count);
  return count;
}

/* The smallest distance in each lane over `blocks` blocks: one comparison
 * then serves them all. VPMINUD and VPXORQ go to the port that VPOPCNTQ
 * leaves free, comparisons do not. */
TARGET HR_INLINE __m512i least_distance(const uint64_t *block, size_t words, size_t blocks,
                                        const uint64_t *query) {
  __m512i least = block_distance(block, words, query);
  for (size_t i = 1; i < blocks; i++)
    least = _mm512_min_epu32(least, block_distance(block + i * words * HR_LANES, words, query));
  return least;
}

HR_INLINE unsigned any_allowed(const uint8_t *allow, size_t blocks) {
  unsigned any = 0;
  for (size_t i = 0; i < blocks; i++) any |= allow[i];
  return any;
}

TARGET HR_INLINE size_t pass_blocks(hr_pass *pass, hr_hit *hits, size_t words, uint32_t queries,
                                    size_t blocks) {
  const uint64_t *base = pass->blocks;
  size_t b = pass->block, end = pass->end, count = 0;
  uint64_t query[HR_GROUP][4];
  const uint64_t *code[HR_GROUP];
  __m512i limit[HR_GROUP];
  for (uint32_t q = 0; q < queries; q++) {
    code[q] = pass->query[q];
    if (words <= 4) {
      for (size_t w = 0; w < words; w++) query[q][w] = pass->query[q][w];
      code[q] = query[q];
    }
    limit[q] = _mm512_set1_epi64(pass->limit[q]);
  }
  /* Steps with hits are noted without a branch and gone through at the end of
   * a stretch: mispredicting each would cost as much as the step. */
  while (b + blocks <= end && count < HR_ENOUGH_HITS) {
    uint64_t noted[HR_STRETCH];
    size_t size = 0, room = (end - b) / blocks, steps = room < HR_STRETCH ? room : HR_STRETCH;
    for (size_t stop = b + steps * blocks; b < stop; b += blocks) {
      if (pass->allow && !any_allowed(pass->allow + b, blocks)) continue;
      const uint64_t *block = base + b * words * HR_LANES;
      for (size_t line = 0; line < blocks * words; line++)
        _mm_prefetch((const char *)(block + line * HR_LANES) + AHEAD, _MM_HINT_T0);
      uint32_t lanes = 0;
      for (uint32_t q = 0; q < queries; q++) {
        __m512i least = least_distance(block, words, blocks, code[q]);
        lanes |= (uint32_t)_mm512_cmplt_epu64_mask(least, limit[q]) << q * HR_LANES;
      }
      noted[size] = (uint64_t)b << 32 | lanes;
      size += lanes != 0;
    }
    for (size_t i = 0; i < size; i++)
      count += take_step(pass, noted[i] >> 32, blocks, words, (uint32_t)noted[i], hits + count);
  }
  pass->block = b;
  return count;
}

/* As pass_blocks, but leaves a block where its heads are beyond the limit already. */
TARGET HR_INLINE size_t pass_heads(size_t head, size_t words, hr_pass *pass, hr_hit *hits) {
  size_t count = 0;
  for (; pass->block < pass->end && count < HR_ENOUGH_HITS; pass->block++) {
    const uint64_t *block = pass->blocks + pass->block * words * HR_LANES;
    if (pass->allow && !pass->allow[pass->block]) continue;
    for (size_t w = 0; w < head; w++)
      _mm_prefetch((const char *)(block + w * HR_LANES) + AHEAD, _MM_HINT_T0);
    for (uint32_t q = 0; q < pass->queries; q++) {
      __m512i limit = _mm512_set1_epi64(pass->limit[q]);
      __m512i sum = block_distance(block, head, pass->query[q]);
      if (!_mm512_cmplt_epu64_mask(sum, limit)) {
        pass->left++;
        continue;
      }
      sum = _mm512_add_epi64(sum, part_distance(block, head, words, pass->query[q]));
      if (HR_UNLIKELY(_mm512_cmplt_epu64_mask(sum, limit)))
        count += take_block(pass, pass->block, q, hits + count);
    }
  }
  return count;
}

/* Constant widths and query counts keep queries and limits in registers; the
 * last blocks of a range go one by one. */
TARGET HR_INLINE size_t pass_width(size_t words, hr_pass *pass, hr_hit *hits) {
  size_t head = words >= HR_HEAD_WORDS ? pass->head / sizeof(uint64_t) : 0;
  if (head) return HR_BY_HEAD(pass_heads, head, words, pass, hits);
  size_t blocks = words < 4 ? 4 / words : 1;
  if (pass->end - pass->block < blocks) blocks = 1;
  if (pass->queries == 1)
    return blocks == 1 ? pass_blocks(pass, hits, words, 1, 1)
                       : pass_blocks(pass, hits, words, 1, blocks);
  return blocks == 1 ? pass_blocks(pass, hits, words, HR_GROUP, 1)
                     : pass_blocks(pass, hits, words, HR_GROUP, blocks);
}

TARGET static size_t scan_avx512(hr_pass *pass, hr_hit *hits) {
  return HR_BY_WIDTH(pass_width, pass->words, pass, hits);
}

/* Distances of four blocks as 32 halfwords in the order of their rows. Block i
 * goes to halfword i of each lane; one VPERMW then sorts them, where four
 * VPMOVQW would take eight slots of the port that VPOPCNTQ needs. */
TARGET HR_INLINE __m512i four_blocks(const uint64_t *block, size_t words, const uint64_t *query) {
  static const uint16_t order[32] = {0, 4, 8,  12, 16, 20, 24, 28, 1, 5, 9,  13, 17, 21, 25, 29,
                                     2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31};
  size_t step = words * HR_LANES;
  __m512i low = _mm512_or_si512(block_distance(block, words, query),
                                _mm512_slli_epi64(block_distance(block + step, words, query), 16));
  __m512i high =
      _mm512_or_si512(block_distance(block + 2 * step, words, query),
                      _mm512_slli_epi64(block_distance(block + 3 * step, words, query), 16));
  __m512i mixed = _mm512_or_si512(low, _mm512_slli_epi64(high, 32));
  return _mm512_permutexvar_epi16(_mm512_loadu_si512(order), mixed);
}

TARGET HR_INLINE void write_blocks(size_t words, const uint64_t *blocks, size_t count,
                                   const uint64_t *query, uint16_t *out) {
  size_t b = 0;
  for (; b + 4 <= count; b += 4)
    _mm512_storeu_si512(out + b * HR_LANES,
                        four_blocks(blocks + b * words * HR_LANES, words, query));
  for (; b < count; b++) {
    __m512i distance = block_distance(blocks + b * words * HR_LANES, words, query);
    _mm_storeu_si128((__m128i *)(out + b * HR_LANES), _mm512_cvtepi64_epi16(distance));
  }
}

TARGET static void distances_avx512(const uint64_t *blocks, size_t words, size_t count,
                                    const uint64_t *query, uint16_t *out) {
  HR_BY_WIDTH(write_blocks, words, blocks, count, query, out);
}

TARGET static void pack_mask_avx512(const uint8_t *flags, size_t count, uint8_t *bits) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m512i bytes = _mm512_loadu_si512(flags + 8 * i);
    uint64_t set = _mm512_test_epi8_mask(bytes, bytes);
    memcpy(bits + i, &set, sizeof set);
  }
  pack_mask(flags + 8 * i, count - i, bits + i);
}

TARGET HR_INLINE size_t put_indices(__m512i index, size_t first, __mmask16 within, uint32_t *hits) {
  __m512i at = _mm512_add_epi32(index, _mm512_set1_epi32((int)first));
  _mm512_mask_compressstoreu_epi32(hits, within, at);
  return (size_t)_mm_popcnt_u32(within);
}

/* Sketches of one or two words: 16 or 8 a register. */
TARGET HR_INLINE size_t near_sketches(const uint32_t *sketches, size_t words, size_t count,
                                      const uint32_t *query, uint32_t limit, uint32_t *hits) {
  const __m512i index = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const size_t lanes = 16 / words;
  uint64_t both = words == 2 ? (uint64_t)query[1] << 32 | query[0] : 0;
  __m512i own = words == 1 ? _mm512_set1_epi32((int)query[0]) : _mm512_set1_epi64((long long)both);
  __m512i most = words == 1 ? _mm512_set1_epi32((int)limit) : _mm512_set1_epi64(limit);
  size_t found = 0;
  for (size_t i = 0; i < count; i += lanes) {
    unsigned valid = count - i < lanes ? (1u << (count - i)) - 1 : (1u << lanes) - 1;
    __m512i x = words == 1 ? _mm512_maskz_loadu_epi32((__mmask16)valid, sketches + i)
                           : _mm512_maskz_loadu_epi64((__mmask8)valid, sketches + i * 2);
    x = _mm512_xor_si512(x, own);
    __mmask16 within =
        words == 1 ? _mm512_mask_cmple_epu32_mask((__mmask16)valid, _mm512_popcnt_epi32(x), most)
                   : _mm512_mask_cmple_epu64_mask((__mmask8)valid, _mm512_popcnt_epi64(x), most);
    if (HR_UNLIKELY(within)) found += put_indices(index, i, within, hits + found);
  }
  return found;
}

TARGET static size_t sketches_avx512(const uint32_t *sketches, size_t words, size_t count,
                                     const uint32_t *query, uint32_t limit, uint32_t *hits) {
  if (words == 1) return near_sketches(sketches, 1, count, query, limit, hits);
  if (words == 2) return near_sketches(sketches, 2, count, query, limit, hits);
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    hits[found] = (uint32_t)i;
    found += sketch_distance(sketches + i * words, query, words) <= limit;
  }
  return found;
}

const hr_kernels hr_kernels_avx512 = {
    .name = "avx512",
    .scan = scan_avx512,
    .distances = distances_avx512,
    .distances_at = distances_at,
    .scan_rows = scan_rows,
    .pack_mask = pack_mask_avx512,
    .sketches = sketches_avx512,
    .heads = {[HR_LONE] = {2, 16}, [HR_GROUPED] = {16, 96}},
};
#endif
