/* Keeping and thinning what was taken. */
#include "nearest.h"

/* Room for what is taken before it is thinned: thinning costs a pass over all of it. */
#define LEAST_ROOM ((size_t)256)
#define MOST_ROOM ((size_t)16384)

static size_t first_room(size_t k) {
  if (k == SIZE_MAX || k < LEAST_ROOM / 4) return LEAST_ROOM;
  return k < MOST_ROOM / 4 ? 4 * k : MOST_ROOM;
}

bool hr_nearest_open(hr_nearest *top, size_t k, uint32_t radius, uint32_t farthest) {
  *top = (hr_nearest){.k = k, .farthest = farthest};
  top->counts = hr_alloc_zero((size_t)farthest + 1, sizeof *top->counts);
  top->capacity = first_room(k);
  top->near = hr_alloc(top->capacity, sizeof *top->near);
  top->limit = top->radius = radius < farthest ? radius : farthest;
  return top->counts && top->near;
}

void hr_nearest_close(hr_nearest *top) {
  free(top->near);
  free(top->counts);
}

void hr_nearest_reset(hr_nearest *top, uint32_t radius) {
  memset(top->counts, 0, ((size_t)top->farthest + 1) * sizeof *top->counts);
  top->size = 0;
  top->nearer = 0;
  top->by_row = false;
  top->limit = top->radius = radius < top->farthest ? radius : top->farthest;
}

void hr_nearest_begin_again(hr_nearest *top) {
  hr_nearest_reset(top, hr_nearest_full(top) ? top->limit : top->radius);
}

/* Without branches: which entries stay cannot be predicted. */
void hr_nearest_thin(hr_nearest *top) {
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

bool hr_nearest_make_room(hr_nearest *top) {
  hr_nearest_thin(top);
  if (top->size <= top->capacity / 2) return true;
  uint64_t *near = hr_alloc(top->capacity * 2, sizeof *near);
  if (!near) return false;
  memcpy(near, top->near, top->size * sizeof *near);
  free(top->near);
  top->near = near;
  top->capacity *= 2;
  return true;
}
