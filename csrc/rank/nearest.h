/* The nearest by a real-valued distance: k of them, or all within a radius, or both. */
#ifndef HR_NEAREST_H
#define HR_NEAREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  double distance;
  int64_t id;
} hr_ranked_id;

typedef struct {
  hr_ranked_id *list; /* with k of them a heap, the last by (distance, id) first */
  size_t size, capacity;
  size_t k;     /* SIZE_MAX: all */
  double limit; /* what is farther does not matter */
} hr_nearest;

static inline bool hr_ranks_before(hr_ranked_id a, hr_ranked_id b) {
  return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
}

/* Makes a heap of a list, the last by (distance, id) first. */
void hr_heap_make(hr_ranked_id *list, size_t size);
/* Lets the item at a place go down until none below it comes after it. */
void hr_heap_sift(hr_ranked_id *heap, size_t size, size_t at);

/* Empties it; room is kept. */
void hr_nearest_begin(hr_nearest *nearest, size_t k, double radius);
void hr_nearest_close(hr_nearest *nearest);
static inline bool hr_nearest_full(const hr_nearest *nearest) {
  return nearest->size == nearest->k;
}
/* Whether one would be taken. */
static inline bool hr_nearest_wants(const hr_nearest *nearest, hr_ranked_id one) {
  return hr_nearest_full(nearest) ? hr_ranks_before(one, nearest->list[0])
                                  : one.distance <= nearest->limit;
}
/* One that is wanted. False when out of memory. */
bool hr_nearest_take(hr_nearest *nearest, hr_ranked_id one);
/* Puts them in order, the nearest first; nothing can be taken afterwards. */
void hr_nearest_sort(hr_nearest *nearest);

#endif
