/* Scanning strips by NEON: 64 codes and four queries at a time.
 *
 * CNT counts the bits of each byte, so that no tables are looked up, which would take four
 * operations a byte where it takes three. Cost of a byte of 64 codes: four loads, and for each
 * query one load, and four times an exclusive or, a count and an addition: 56 operations for 256
 * distances, so that one to a code of one word takes 1.75. As compiled (gcc 12) the loop has 74 to
 * 113 instructions, 2.3 to 3.5 a word, as not all sums stay in registers; word by word
 * (hamming_neon.c) a word of a long code takes 3.7. A look at the sums of heads is 33 operations,
 * about half as much as a byte.
 */
#include "kernels/strips_neon.h"

#include "kernels/strips.h"

#ifdef HR_ARM64
#include <arm_neon.h>
#include <stdbool.h>
#include <string.h>

#define QUARTER 16 /* rows a register */
#define QUARTERS (HR_STRIP / QUARTER)

/* Eight rows of one word become eight bytes of a strip each, HR_STRIP apart. */
HR_INLINE void put_block(const uint64_t *word, uint8_t *strip) {
  static const uint8_t first_two[16] = {0, 8, 16, 24, 32, 40, 48, 56, 1, 9, 17, 25, 33, 41, 49, 57};
  uint8x16x4_t rows;
  for (size_t i = 0; i < 4; i++) rows.val[i] = vreinterpretq_u8_u64(vld1q_u64(word + 2 * i));
  uint8x16_t from = vld1q_u8(first_two);
  for (size_t p = 0; p < sizeof(uint64_t); p += 2, strip += 2 * HR_STRIP) {
    uint8x16_t two = vqtbl4q_u8(rows, from);
    vst1_u8(strip, vget_low_u8(two));
    vst1_u8(strip + HR_STRIP, vget_high_u8(two));
    from = vaddq_u8(from, vdupq_n_u8(2));
  }
}

void hr_neon_to_strips(const uint64_t *blocks, size_t words, size_t count, uint8_t *strips) {
  size_t size = words * sizeof(uint64_t) * HR_STRIP;
  if (count % HR_STRIP_BLOCKS) memset(strips + count / HR_STRIP_BLOCKS * size, 0, size);
  for (size_t b = 0; b < count; b++) {
    uint8_t *strip = strips + b / HR_STRIP_BLOCKS * size + b % HR_STRIP_BLOCKS * HR_LANES;
    for (size_t w = 0; w < words; w++)
      put_block(blocks + (b * words + w) * HR_LANES, strip + w * sizeof(uint64_t) * HR_STRIP);
  }
}

typedef struct {
  uint8x16_t quarter[HR_GROUP][QUARTERS];
} sums;

/* Adds to the distances of 64 rows to four queries what bytes [from, end) make; all from 255 on are
 * 255. */
HR_INLINE void add_bytes(const hr_pass *pass, size_t from, size_t end, const uint8_t *strip,
                         sums *s) {
  for (size_t p = from; p < end; p++) {
    uint8x16_t rows[QUARTERS];
    for (size_t i = 0; i < QUARTERS; i++) rows[i] = vld1q_u8(strip + p * HR_STRIP + i * QUARTER);
    for (uint32_t q = 0; q < HR_GROUP; q++) {
      uint8x16_t own = vld1q_dup_u8((const uint8_t *)pass->query[q] + p);
      for (size_t i = 0; i < QUARTERS; i++)
        s->quarter[q][i] = vqaddq_u8(s->quarter[q][i], vcntq_u8(veorq_u8(rows[i], own)));
    }
  }
}

/* Whether some row is nearer to a query than its limit. */
HR_INLINE bool some_below(const sums *s, const hr_pass *pass, uint32_t q) {
  const uint8x16_t *quarter = s->quarter[q];
  uint8x16_t least = vminq_u8(vminq_u8(quarter[0], quarter[1]), vminq_u8(quarter[2], quarter[3]));
  return vminvq_u8(least) < pass->limit[q];
}

HR_INLINE bool all_beyond(const sums *s, const hr_pass *pass) {
  bool any = false;
  for (uint32_t q = 0; q < HR_GROUP; q++) any |= some_below(s, pass, q);
  return !any;
}

/* Those of the wanted rows that are nearer to a query than its limit. */
static size_t take_rows(const sums *s, const hr_pass *pass, uint64_t wanted, uint32_t q,
                        hr_hit *hits) {
  uint8_t distance[HR_STRIP];
  size_t count = 0, first = pass->block * HR_LANES;
  for (size_t i = 0; i < QUARTERS; i++) vst1q_u8(distance + i * QUARTER, s->quarter[q][i]);
  for (size_t row = 0; row < HR_STRIP; row++)
    if ((wanted >> row & 1) && distance[row] < pass->limit[q])
      hits[count++] = (hr_hit){(uint32_t)(first + row), distance[row], (uint16_t)q};
  return count;
}

HR_INLINE size_t pass_strips(size_t words, hr_pass *pass, hr_hit *hits) {
  size_t bytes = words * sizeof(uint64_t), size = bytes * HR_STRIP, count = 0;
  size_t head = words >= HR_HEAD_WORDS ? pass->head : 0;
  for (; pass->block < pass->end && count < HR_ENOUGH_HITS; pass->block += HR_STRIP_BLOCKS) {
    uint64_t wanted = hr_strip_rows(pass);
    if (!wanted) continue;
    const uint8_t *strip = pass->strips + (pass->block - pass->first) / HR_STRIP_BLOCKS * size;
    sums s;
    for (uint32_t q = 0; q < HR_GROUP; q++)
      for (size_t i = 0; i < QUARTERS; i++) s.quarter[q][i] = vdupq_n_u8(0);
    if (head) {
      add_bytes(pass, 0, head, strip, &s);
      if (all_beyond(&s, pass)) {
        pass->left += HR_STRIP_BLOCKS * HR_GROUP;
        continue;
      }
    }
    add_bytes(pass, head, bytes, strip, &s);
    for (uint32_t q = 0; q < HR_GROUP; q++)
      if (HR_UNLIKELY(some_below(&s, pass, q)))
        count += take_rows(&s, pass, wanted, q, hits + count);
  }
  if (pass->block > pass->end) pass->block = pass->end;
  return count;
}

size_t hr_neon_scan_strips(hr_pass *pass, hr_hit *hits) {
  return HR_BY_WIDTH(pass_strips, pass->words, pass, hits);
}
#endif
