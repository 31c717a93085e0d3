/* The k nearest of a stream of rows that comes in ascending order.
 *
 * Distances are small integers, so counting them replaces a heap: `limit` is
 * always the k-th smallest distance seen (farthest + 1 before k rows were seen),
 * and a row is taken only if it is nearer than that, since among equals the
 * earlier row wins. Taking a row costs O(1); the buffer is compacted, in
 * order, each time it fills.
 */
#ifndef HR_SELECT_H
#define HR_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct {
  uint32_t distance;
  uint32_t row;
} hr_neighbor;

typedef struct {
  hr_neighbor *near; /* taken rows, ascending by row */
  uint32_t *counts;  /* taken rows by distance */
  size_t k, size, capacity;
  size_t below; /* taken rows nearer than limit: fewer than k */
  uint32_t limit;
  bool bounded; /* limit began as a guess */
} hr_topk;

/* Returns false when out of memory. k is at least 1; at most `rows` rows will
 * come, none beyond `farthest`. */
static inline bool hr_topk_open(hr_topk *top, size_t k, size_t rows, uint32_t farthest) {
  if (k > rows) k = rows ? rows : 1;
  top->k = k;
  top->size = top->below = 0;
  top->capacity = k + (k < 256 ? 256 : k);
  if (top->capacity > rows) top->capacity = rows ? rows : 1;
  top->limit = farthest + 1;
  top->bounded = false;
  top->near = hr_alloc(top->capacity, sizeof *top->near);
  top->counts = hr_alloc_zero((size_t)farthest + 2, sizeof *top->counts);
  return top->near && top->counts;
}

/* Forgets all rows; `limit` is farthest + 1. */
static inline void hr_topk_restart(hr_topk *top, uint32_t limit) {
  top->size = top->below = 0;
  top->limit = limit;
  top->bounded = false;
  memset(top->counts, 0, ((size_t)limit + 1) * sizeof *top->counts);
}

static inline void hr_topk_close(hr_topk *top) {
  free(top->near);
  free(top->counts);
}

/* Drops what is no longer among the k nearest. */
static inline void hr_topk_compact(hr_topk *top) {
  size_t kept = 0, equals = top->k - top->below;
  /* Without branches: which rows stay cannot be predicted. */
  for (size_t i = 0; i < top->size; i++) {
    hr_neighbor near = top->near[i];
    bool equal = near.distance == top->limit && equals;
    top->near[kept] = near;
    equals -= equal;
    kept += equal | (near.distance < top->limit);
  }
  top->size = kept;
}

static inline void hr_topk_push(hr_topk *top, uint32_t distance, uint32_t row) {
  if (distance >= top->limit) return;
  if (top->size == top->capacity) hr_topk_compact(top);
  top->near[top->size++] = (hr_neighbor){distance, row};
  top->counts[distance]++;
  top->below++;
  while (top->below >= top->k) top->below -= top->counts[--top->limit];
}

/* Leaves near[0 .. size) with the result, by (distance, row): a counting sort
 * through `scratch`, which has room for k rows. */
static inline void hr_topk_finish(hr_topk *top, uint32_t farthest, hr_neighbor *scratch) {
  hr_topk_compact(top);
  memset(top->counts, 0, ((size_t)farthest + 2) * sizeof *top->counts);
  for (size_t i = 0; i < top->size; i++) top->counts[top->near[i].distance + 1]++;
  for (uint32_t d = 1; d <= farthest; d++) top->counts[d] += top->counts[d - 1];
  for (size_t i = 0; i < top->size; i++)
    scratch[top->counts[top->near[i].distance]++] = top->near[i];
  memcpy(top->near, scratch, top->size * sizeof *scratch);
}

#endif
