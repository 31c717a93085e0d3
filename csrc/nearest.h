/* The nearest of a stream of rows that comes in any order.
 *
 * Takes what lies within a radius, and of that the k least by (distance, row).
 * Distances are small integers, so counting them replaces a heap: `limit` is
 * always the k-th smallest distance seen. Rows at just that distance are taken
 * too and sorted out each time the buffer fills; then `last` is the greatest row
 * that still counts among them. select.h is for rows that come ascending.
 */
#ifndef HR_NEAREST_H
#define HR_NEAREST_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"

typedef struct {
  uint64_t *near;   /* distance << 32 | row */
  uint32_t *counts; /* taken rows by distance */
  size_t k, size, capacity;
  size_t nearer;  /* taken rows at a distance < limit: fewer than k */
  uint32_t limit; /* rows beyond are out */
  uint32_t last;  /* rows at the limit above this one are out */
  uint32_t radius, farthest;
  bool by_entry; /* rows are entries until hr_nearest_rename: their order is not that of rows,
                    so that all at the limit are kept */
} hr_nearest;

/* No distance offered may exceed `farthest`. k = SIZE_MAX takes all within the radius.
 * False when out of memory; hr_nearest_close is due in any case. */
bool hr_nearest_open(hr_nearest *top, size_t k, uint32_t radius, uint32_t farthest);
void hr_nearest_close(hr_nearest *top);
/* Begins again, for the next query. */
void hr_nearest_reset(hr_nearest *top, uint32_t radius);
/* Begins again with the limit that is known by now: what was found will be found again. */
void hr_nearest_begin_again(hr_nearest *top);
/* False when out of memory. */
bool hr_nearest_make_room(hr_nearest *top);
/* Turns entries into the rows that `rows` has for them. */
void hr_nearest_rename(hr_nearest *top, const uint32_t *rows, size_t count);
/* Leaves near[0 .. size) with the result, ascending. False when out of memory. */
bool hr_nearest_finish(hr_nearest *top);

static inline int32_t hr_near_distance(const hr_nearest *top, size_t i) {
  return (int32_t)(top->near[i] >> 32);
}
static inline uint32_t hr_near_row(const hr_nearest *top, size_t i) {
  return (uint32_t)top->near[i];
}

static inline bool hr_nearest_full(const hr_nearest *top) {
  return top->nearer + top->counts[top->limit] >= top->k;
}

/* False when out of memory. */
static inline bool hr_nearest_offer(hr_nearest *top, uint32_t distance, uint32_t row) {
  if (distance > top->limit || (distance == top->limit && row > top->last)) return true;
  if (top->size == top->capacity && !hr_nearest_make_room(top)) return false;
  top->near[top->size++] = (uint64_t)distance << 32 | row;
  top->counts[distance]++;
  if (distance == top->limit) return true;
  top->nearer++;
  while (top->nearer >= top->k) {
    top->nearer -= top->counts[--top->limit];
    top->last = UINT32_MAX;
  }
  return true;
}

#endif
