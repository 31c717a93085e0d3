/* What a query asks for, of a stream of codes: the k nearest, or all within a radius, or both.
 *
 * Distances are small integers, so counting them replaces a heap: `limit` is always the k-th
 * smallest distance seen. A collector holds either rows, which come ascending, so that of those at
 * just the limit the first ones count; or entries of sorted codes, which come in any order and
 * stand for some rows each: those at just the limit are all taken, since which of their rows are
 * the least is known only at the end (expand.h). Taking one costs O(1); what lies beyond the limit
 * by then is dropped each time the room is used up.
 */
#ifndef HR_COLLECTOR_H
#define HR_COLLECTOR_H

#include <stdbool.h>

#include "storage/postings.h"
#include "topk/queries.h"

/* HR_FEW_ENTRIES: of a copy of some rows (subset.h). */
typedef enum { HR_ROWS, HR_ENTRIES, HR_FEW_ENTRIES } hr_unit;

typedef struct {
  uint64_t *taken;  /* distance << 32 | row or entry */
  uint64_t *counts; /* rows taken, by distance */
  size_t k, size, capacity;
  uint64_t nearer; /* rows at a distance < limit: fewer than k */
  uint32_t limit;  /* the k-th smallest distance, or `start` before k rows were seen */
  uint32_t start;  /* only what is nearer is taken: radius + 1, or a guess */
  uint32_t radius;
  uint32_t farthest; /* no code lies farther: unused bits may be set in a damaged file */
  hr_unit unit;
} hr_collector;

/* One a query; NULL when out of memory. */
hr_collector *hr_collectors_open(hr_unit unit, const hr_queries *queries);
void hr_collectors_close(hr_collector *collectors, size_t count);

/* Begins anew, for the next query. */
void hr_collector_reset(hr_collector *collector, uint32_t radius);
/* Begins again, perhaps with the other unit, with the limit that is known by now: what was found
 * will be found again. */
void hr_collector_restart(hr_collector *collector, hr_unit unit);
/* False when out of memory. */
bool hr_collector_make_room(hr_collector *collector);

/* Whether k rows were seen. */
static inline bool hr_collector_full(const hr_collector *collector) {
  return collector->limit < collector->start;
}
static inline bool hr_collector_guessed(const hr_collector *collector) {
  return collector->start <= collector->radius;
}
/* The largest distance that still matters. */
static inline uint32_t hr_collector_reach(const hr_collector *collector) {
  return collector->limit - !hr_collector_full(collector);
}
/* What comes next is taken if it is nearer than this. */
static inline uint32_t hr_collector_bar(const hr_collector *collector) {
  return collector->limit + (collector->unit != HR_ROWS && hr_collector_full(collector));
}

static inline uint32_t hr_taken_distance(const hr_collector *collector, size_t i) {
  return (uint32_t)(collector->taken[i] >> 32);
}
static inline uint32_t hr_taken_item(const hr_collector *collector, size_t i) {
  return (uint32_t)collector->taken[i];
}

static inline bool hr_collector_take(hr_collector *collector, uint32_t distance, uint32_t item,
                                     size_t rows) {
  if (collector->size == collector->capacity && !hr_collector_make_room(collector)) return false;
  collector->taken[collector->size++] = (uint64_t)distance << 32 | item;
  collector->counts[distance] += rows;
  collector->nearer +=
      distance < collector->limit ? rows : 0; /* no branch: it cannot be foretold */
  while (collector->nearer >= collector->k)
    collector->nearer -= collector->counts[--collector->limit];
  return true;
}

/* Rows come ascending. False when out of memory. */
static inline bool hr_collector_offer_row(hr_collector *collector, uint32_t distance,
                                          uint32_t row) {
  return distance >= collector->limit || hr_collector_take(collector, distance, row, 1);
}

/* An entry, with those of its rows that `allow`, a bit a row, lets pass (NULL: all). False when out
 * of memory. */
bool hr_collector_offer_entry(hr_collector *collector, const hr_postings *postings, size_t entry,
                              uint32_t distance, const uint8_t *allow);

/* By distance, items at one distance in the order they came: `items` has room for `count`, `starts`
 * for reach + 3 numbers. Those at distance d are [starts[d], starts[d + 1]). What lies beyond
 * the reach is left out; returns how many are left. */
size_t hr_sort_by_distance(const uint64_t *taken, size_t count, uint32_t reach, size_t *starts,
                           uint32_t *items);

#endif
