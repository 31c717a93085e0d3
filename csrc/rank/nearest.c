/* A heap of the k nearest, the last of them on top. */
#include "rank/nearest.h"

#include "base/memory.h"

void hr_nearest_begin(hr_nearest *nearest, size_t k, double radius) {
  nearest->size = 0;
  nearest->k = k;
  nearest->limit = radius;
}

void hr_nearest_close(hr_nearest *nearest) {
  free(nearest->list);
  *nearest = (hr_nearest){0};
}

void hr_heap_sift(hr_ranked_id *heap, size_t size, size_t at) {
  hr_ranked_id one = heap[at];
  for (size_t below; (below = 2 * at + 1) < size; at = below) {
    if (below + 1 < size && hr_ranks_before(heap[below], heap[below + 1])) below++;
    if (!hr_ranks_before(one, heap[below])) break;
    heap[at] = heap[below];
  }
  heap[at] = one;
}

void hr_heap_make(hr_ranked_id *list, size_t size) {
  for (size_t at = size / 2; at-- > 0;) hr_heap_sift(list, size, at);
}

bool hr_nearest_take(hr_nearest *nearest, hr_ranked_id one) {
  if (hr_nearest_full(nearest)) {
    nearest->list[0] = one;
    hr_heap_sift(nearest->list, nearest->size, 0);
  } else {
    if (!hr_grow(&nearest->list, &nearest->capacity, nearest->size + 1, sizeof one)) return false;
    nearest->list[nearest->size++] = one;
    if (!hr_nearest_full(nearest)) return true;
    hr_heap_make(nearest->list, nearest->size);
  }
  nearest->limit = nearest->list[0].distance;
  return true;
}

void hr_nearest_sort(hr_nearest *nearest) {
  hr_ranked_id *list = nearest->list;
  if (!hr_nearest_full(nearest)) hr_heap_make(list, nearest->size);
  for (size_t left = nearest->size; left > 1; left--) {
    hr_ranked_id last = list[0];
    list[0] = list[left - 1];
    list[left - 1] = last;
    hr_heap_sift(list, left - 1, 0);
  }
}
