/* NEON: CNT counts bits in bytes, UADALP sums them into lanes of two rows.
 *
 * Of two rows a word takes three operations, and a look at sums seven for each query and block.
 */
#include "kernels/kernels.h"
#include "kernels/strips_neon.h"

#ifdef HR_ARM64
#include <arm_neon.h>

#define TARGET
#define POPCOUNT(x) vaddv_u8(vcnt_u8(vcreate_u8(x)))
#include "kernels/single.h"

#define PAIR 2 /* rows a register */

/* Distances of two rows to one query, of their words [from, words); 31 words fit a byte's count. */
HR_INLINE uint64x2_t part_distance(const uint64_t *pair, size_t from, size_t words,
                                   const uint64_t *query) {
  uint64x2_t sum = vdupq_n_u64(0);
  for (size_t w = from; w < words;) {
    uint8x16_t bytes = vdupq_n_u8(0);
    size_t stop = words - w > 31 ? w + 31 : words;
    for (; w < stop; w++) {
      uint64x2_t x = veorq_u64(vld1q_u64(pair + w * HR_LANES), vdupq_n_u64(query[w]));
      bytes = vaddq_u8(bytes, vcntq_u8(vreinterpretq_u8_u64(x)));
    }
    sum = vpadalq_u32(sum, vpaddlq_u16(vpaddlq_u8(bytes)));
  }
  return sum;
}

HR_INLINE uint64x2_t pair_distance(const uint64_t *pair, size_t words, const uint64_t *query) {
  return part_distance(pair, 0, words, query);
}

/* The least of the sums of a block's words [from, words) and of what was summed before, which are
 * kept. */
HR_INLINE uint32_t least_sum(const uint64_t *block, size_t from, size_t words,
                             const uint64_t *query, uint64x2_t *sums) {
  uint32x4_t least = vdupq_n_u32(UINT32_MAX);
  for (size_t i = 0; i < HR_LANES / PAIR; i++) {
    sums[i] = vaddq_u64(sums[i], part_distance(block + i * PAIR, from, words, query));
    /* The high halves are zero; the low ones are the distances. */
    least = vminq_u32(least, vreinterpretq_u32_u64(sums[i]));
  }
  uint32_t first = vgetq_lane_u32(least, 0), second = vgetq_lane_u32(least, 2);
  return first < second ? first : second;
}

HR_INLINE size_t pass_blocks(size_t words, hr_pass *pass, hr_hit *hits) {
  size_t b = pass->block, count = 0;
  size_t head = words >= HR_HEAD_WORDS ? pass->head / sizeof(uint64_t) : 0;
  for (; b < pass->end && count < HR_ENOUGH_HITS; b++) {
    if (pass->allow && !pass->allow[b]) continue;
    const uint64_t *block = pass->blocks + b * words * HR_LANES;
    for (uint32_t q = 0; q < pass->queries; q++) {
      uint64x2_t sums[HR_LANES / PAIR];
      for (size_t i = 0; i < HR_LANES / PAIR; i++) sums[i] = vdupq_n_u64(0);
      if (head && least_sum(block, 0, head, pass->query[q], sums) >= pass->limit[q])
        pass->left++;
      else if (HR_UNLIKELY(least_sum(block, head, words, pass->query[q], sums) < pass->limit[q]))
        count += take_hits(pass, b, q, hits + count);
    }
  }
  pass->block = b;
  return count;
}

static size_t scan_neon(hr_pass *pass, hr_hit *hits) {
  return HR_BY_WIDTH(pass_blocks, pass->words, pass, hits);
}

static void distances_neon(const uint64_t *blocks, size_t words, size_t count,
                           const uint64_t *query, uint16_t *out) {
  for (size_t b = 0; b < count; b++) {
    const uint64_t *block = blocks + b * words * HR_LANES;
    for (size_t lane = 0; lane < HR_LANES; lane += PAIR) {
      uint32x2_t two = vmovn_u64(pair_distance(block + lane, words, query));
      out[b * HR_LANES + lane] = (uint16_t)vget_lane_u32(two, 0);
      out[b * HR_LANES + lane + 1] = (uint16_t)vget_lane_u32(two, 1);
    }
  }
}

static size_t sketches_neon(const uint32_t *sketches, size_t words, size_t count,
                            const uint32_t *query, uint32_t limit, uint32_t *hits) {
  size_t found = 0, i = 0;
  if (words == 1) {
    uint32x4_t own = vdupq_n_u32(query[0]), most = vdupq_n_u32(limit);
    for (; i + 4 <= count; i += 4) {
      uint8x16_t x = vreinterpretq_u8_u32(veorq_u32(vld1q_u32(sketches + i), own));
      uint32x4_t within = vcleq_u32(vpaddlq_u16(vpaddlq_u8(vcntq_u8(x))), most);
      if (!vmaxvq_u32(within)) continue;
      uint32_t lanes[4];
      vst1q_u32(lanes, within);
      for (uint32_t lane = 0; lane < 4; lane++)
        if (lanes[lane]) hits[found++] = (uint32_t)i + lane;
    }
  }
  for (; i < count; i++) {
    hits[found] = (uint32_t)i;
    found += sketch_distance(sketches + i * words, query, words) <= limit;
  }
  return found;
}

const hr_kernels hr_kernels_neon = {
    .name = "neon",
    .scan = scan_neon,
    .distances = distances_neon,
    .distances_at = distances_at,
    .scan_rows = scan_rows,
    .pack_mask = pack_mask,
    .sketches = sketches_neon,
    .to_strips = hr_neon_to_strips,
    .scan_strips = hr_neon_scan_strips,
    .heads = {[HR_LONE] = {2, 16}, [HR_GROUPED] = {3, 24}, [HR_STRIPS] = {1, 2}},
};
#endif
