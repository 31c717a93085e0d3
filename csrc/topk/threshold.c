/* Sampling blocks, and counting how far their rows lie. */
#include "topk/threshold.h"

#include "base/histogram.h"
#include "base/memory.h"
#include "kernels/dispatch.h"
#include "storage/segment.h"

#define SAMPLE_SHARE 32 /* one block in so many is sampled, */
#define USUAL_BLOCKS 64 /* or more, up to so many blocks, */
#define FEW_SHARE 8     /* but never a larger share than this */
#define LEAST_BLOCKS 32 /* fewer tell too little */
#define FEW 8           /* of so few blocks that hold k rows, most are below any threshold */
#define MIN_K 100
#define MIN_K_SORTED 40

static size_t sampled(size_t blocks) {
  size_t count = blocks / SAMPLE_SHARE, usual = blocks / FEW_SHARE;
  if (usual > USUAL_BLOCKS) usual = USUAL_BLOCKS;
  if (count < usual) count = usual;
  return count < HR_SAMPLE_BLOCKS ? count : HR_SAMPLE_BLOCKS;
}

bool hr_sample_pays(size_t k, size_t blocks, bool sorted) {
  return k >= (sorted ? MIN_K_SORTED : MIN_K) && sampled(blocks) >= LEAST_BLOCKS &&
         k / HR_LANES <= blocks / FEW;
}

bool hr_sample_open(hr_sample *s, const uint64_t *blocks, size_t first, size_t end,
                    const uint8_t *allow) {
  size_t count = sampled(end - first), width = s->words * HR_LANES, step = (end - first) / count;
  s->count = count;
  s->among = end - first;
  s->blocks = hr_alloc_aligned(count * width * sizeof *s->blocks);
  s->distances = hr_alloc(count * HR_LANES, sizeof *s->distances);
  if (!s->blocks || !s->distances) return false;
  s->filtered = allow != NULL;
  for (size_t i = 0; i < count; i++) {
    size_t block = first + i * step;
    memcpy(s->blocks + i * width, blocks + block * width, width * sizeof *s->blocks);
    if (allow) s->allow[i] = allow[block];
  }
  return true;
}

void hr_sample_close(hr_sample *s) {
  hr_free_aligned(s->blocks);
  free(s->distances);
}

/* The rank in the sample of the k-th nearest row, and three deviations more. */
static size_t rank_of(const hr_sample *s, size_t k) {
  size_t expected = k * s->count / s->among + 1, root = 1;
  while (root * root < expected) root++;
  return expected + 3 * root + 2;
}

uint32_t hr_sample_threshold(const hr_sample *s, const uint64_t *query, size_t k, uint32_t none) {
  uint32_t counts[(HR_MAX_BITS + 2) * HR_COUNTERS];
  memset(counts, 0, ((size_t)none + 1) * HR_COUNTERS * sizeof *counts);
  hr_active_kernels()->distances(s->blocks, s->words, s->count, query, s->distances);
  for (size_t i = 0; s->filtered && i < s->count * HR_LANES; i++)
    if (!hr_bit(s->allow, i)) s->distances[i] = (uint16_t)none;
  hr_count(s->distances, s->count * HR_LANES, counts);
  size_t below = 0, rank = rank_of(s, k);
  for (uint32_t limit = 0; limit < none; limit++)
    if ((below += hr_counted(counts, limit)) >= rank) return limit + 1;
  return none;
}
