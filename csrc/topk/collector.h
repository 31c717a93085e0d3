/* The nearest of a stream of entries that comes in any order, each standing for some rows.
 *
 * Takes what lies within a radius, and of that the entries that hold the k nearest rows.
 * Distances are small integers, so counting rows by them replaces a heap: `limit` is always the
 * k-th smallest distance seen. Entries at just that distance are all taken, since which of their
 * rows are the least is known only at the end (listing.h). select.h is for rows that come
 * ascending.
 */
#ifndef HR_NEAREST_H
#define HR_NEAREST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct {
  uint64_t *near;   /* distance << 32 | entry */
  uint64_t *counts; /* rows of taken entries by distance */
  size_t k, size, capacity;
  uint64_t nearer; /* rows at a distance < limit: fewer than k */
  uint32_t limit;  /* entries beyond are out */
  uint32_t radius, farthest;
  bool by_row; /* entries are rows, and come ascending: of those at the limit the first count */
} hr_collector;

/* No distance offered may exceed `farthest`. k = SIZE_MAX takes all within the radius.
 * False when out of memory; hr_collector_close is due in any case. */
bool hr_collector_open(hr_collector *top, size_t k, uint32_t radius, uint32_t farthest);
void hr_collector_close(hr_collector *top);
/* Begins again, for the next query. */
void hr_collector_reset(hr_collector *top, uint32_t radius);
/* Begins again with the limit that is known by now: what was found will be found again. */
void hr_collector_restart(hr_collector *top);
/* Drops what lies beyond the limit. */
void hr_collector_compact(hr_collector *top);
/* False when out of memory. */
bool hr_collector_make_room(hr_collector *top);

static inline uint32_t hr_collected_distance(const hr_collector *top, size_t i) {
  return (uint32_t)(top->near[i] >> 32);
}
static inline uint32_t hr_collected_item(const hr_collector *top, size_t i) {
  return (uint32_t)top->near[i];
}

static inline bool hr_collector_full(const hr_collector *top) {
  return top->nearer + top->counts[top->limit] >= top->k;
}

/* `rows`: how many rows of the entry count. False when out of memory. */
static inline bool hr_collector_offer(hr_collector *top, uint32_t distance, uint32_t entry,
                                      size_t rows) {
  if (distance > top->limit || !rows) return true;
  if (top->size == top->capacity && !hr_collector_make_room(top)) return false;
  top->near[top->size++] = (uint64_t)distance << 32 | entry;
  top->counts[distance] += rows;
  if (top->k == SIZE_MAX) return true;             /* the limit stays */
  top->nearer += distance < top->limit ? rows : 0; /* no branch: it could not be predicted */
  while (top->nearer >= top->k) top->nearer -= top->counts[--top->limit];
  return true;
}

/* The same for one row, where rows come ascending and k is not SIZE_MAX: at the limit the first
 * ones count. */
static inline bool hr_collector_offer_row(hr_collector *top, uint32_t distance, uint32_t row) {
  if (distance >= top->limit + !hr_collector_full(top)) return true;
  if (top->size == top->capacity && !hr_collector_make_room(top)) return false;
  top->near[top->size++] = (uint64_t)distance << 32 | row;
  top->counts[distance]++;
  top->nearer += distance < top->limit;
  while (top->nearer >= top->k) top->nearer -= top->counts[--top->limit];
  return true;
}

#endif
