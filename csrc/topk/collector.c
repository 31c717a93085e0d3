/* Keeping and thinning what was taken. */
#include "topk/collector.h"

/* Room for what is taken before it is thinned: thinning costs a pass over all of it. */
#define LEAST_ROOM ((size_t)256)
#define MOST_ROOM ((size_t)16384)

static size_t first_room(size_t k) {
  if (k == SIZE_MAX || k < LEAST_ROOM / 4) return LEAST_ROOM;
  return k < MOST_ROOM / 4 ? 4 * k : MOST_ROOM;
}

bool hr_collector_open(hr_collector *top, size_t k, uint32_t radius, uint32_t farthest) {
  *top = (hr_collector){.k = k, .farthest = farthest};
  top->counts = hr_alloc_zero((size_t)farthest + 1, sizeof *top->counts);
  top->capacity = first_room(k);
  top->near = hr_alloc(top->capacity, sizeof *top->near);
  top->limit = top->radius = radius < farthest ? radius : farthest;
  return top->counts && top->near;
}

void hr_collector_close(hr_collector *top) {
  free(top->near);
  free(top->counts);
}

void hr_collector_reset(hr_collector *top, uint32_t radius) {
  memset(top->counts, 0, ((size_t)top->farthest + 1) * sizeof *top->counts);
  top->size = 0;
  top->nearer = 0;
  top->by_row = false;
  top->limit = top->radius = radius < top->farthest ? radius : top->farthest;
}

void hr_collector_restart(hr_collector *top) {
  hr_collector_reset(top, hr_collector_full(top) ? top->limit : top->radius);
}

/* Without branches: which entries stay cannot be predicted. */
void hr_collector_compact(hr_collector *top) {
  if (top->k == SIZE_MAX) return;
  size_t kept = 0;
  uint64_t beyond = ((uint64_t)top->limit + 1) << 32;
  for (size_t i = 0; i < top->size; i++) {
    uint64_t one = top->near[i];
    top->near[kept] = one;
    kept += one < beyond;
  }
  top->size = kept;
}

bool hr_collector_make_room(hr_collector *top) {
  hr_collector_compact(top);
  if (top->size <= top->capacity / 2) return true;
  uint64_t *near = hr_alloc(top->capacity * 2, sizeof *near);
  if (!near) return false;
  memcpy(near, top->near, top->size * sizeof *near);
  free(top->near);
  top->near = near;
  top->capacity *= 2;
  return true;
}
