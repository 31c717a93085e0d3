/* Sampling and counting. */
#include "ceiling.h"

#include "count.h"
#include "dispatch.h"
#include "hashret.h"
#include "memory.h"

#define SAMPLE_ROWS (HR_SAMPLE_BLOCKS * HR_LANES)
#define SAMPLE_SHARE 8 /* sampled are at most an eighth of the blocks */
#define CEILING_MIN_K 100

bool hr_sample_pays(size_t k, size_t blocks) {
  return k >= CEILING_MIN_K && blocks / SAMPLE_SHARE >= HR_SAMPLE_BLOCKS &&
         k / HR_LANES <= blocks / SAMPLE_SHARE;
}

bool hr_sample_open(hr_sample *s, const uint64_t *blocks, size_t words, size_t first, size_t end,
                    const uint8_t *allow) {
  size_t width = words * HR_LANES, step = (end - first) / HR_SAMPLE_BLOCKS;
  s->words = words;
  s->among = end - first;
  s->blocks = hr_alloc_aligned(HR_SAMPLE_BLOCKS * width * sizeof *s->blocks);
  s->near = hr_alloc(SAMPLE_ROWS, sizeof *s->near);
  if (!s->blocks || !s->near) return false;
  s->filtered = allow != NULL;
  for (size_t i = 0; i < HR_SAMPLE_BLOCKS; i++) {
    size_t block = first + i * step;
    memcpy(s->blocks + i * width, blocks + block * width, width * sizeof *s->blocks);
    if (allow) s->allow[i] = allow[block];
  }
  return true;
}

void hr_sample_close(hr_sample *s) {
  hr_free_aligned(s->blocks);
  free(s->near);
}

/* The rank in the sample of the k-th nearest row, and three deviations more. */
static size_t rank_of(const hr_sample *s, size_t k) {
  size_t expected = k * HR_SAMPLE_BLOCKS / s->among + 1, root = 1;
  while (root * root < expected) root++;
  return expected + 3 * root + 2;
}

uint32_t hr_sample_ceiling(const hr_sample *s, const uint64_t *query, size_t k, uint32_t none) {
  uint32_t counts[(HR_MAX_BITS + 2) * HR_COUNTERS];
  memset(counts, 0, ((size_t)none + 1) * HR_COUNTERS * sizeof *counts);
  hr_active_kernels()->distances(s->blocks, s->words, HR_SAMPLE_BLOCKS, query, s->near);
  for (size_t i = 0; s->filtered && i < SAMPLE_ROWS; i++)
    if (!(s->allow[i / HR_LANES] >> i % HR_LANES & 1)) s->near[i] = (uint16_t)none;
  hr_count(s->near, SAMPLE_ROWS, counts);
  size_t below = 0, rank = rank_of(s, k);
  for (uint32_t limit = 0; limit < none; limit++)
    if ((below += hr_counted(counts, limit)) >= rank) return limit + 1;
  return none;
}
