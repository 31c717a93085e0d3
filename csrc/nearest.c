/* Keeping, thinning and sorting what was taken. */
#include "nearest.h"

#include "kernels/kernels.h"

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
  top->last = UINT32_MAX;
  return top->counts && top->near;
}

void hr_nearest_close(hr_nearest *top) {
  free(top->near);
  free(top->counts);
}

void hr_nearest_reset(hr_nearest *top, uint32_t radius) {
  memset(top->counts, 0, ((size_t)top->farthest + 1) * sizeof *top->counts);
  top->size = top->nearer = 0;
  top->limit = top->radius = radius < top->farthest ? radius : top->farthest;
  top->last = UINT32_MAX;
}

void hr_nearest_begin_again(hr_nearest *top) {
  hr_nearest_reset(top, hr_nearest_full(top) ? top->limit : top->radius);
}

static uint32_t distance_of(uint64_t near) { return (uint32_t)(near >> 32); }

/* --- sorting -------------------------------------------------------------------- */

static void insertion_sort(uint64_t *keys, size_t n) {
  for (size_t i = 1; i < n; i++) {
    uint64_t key = keys[i];
    size_t j = i;
    for (; j && keys[j - 1] > key; j--) keys[j] = keys[j - 1];
    keys[j] = key;
  }
}

/* Digits of a key, least significant first: three of the row, two of the distance. */
#define DIGIT_BITS 11
#define DIGIT_MASK (((uint64_t)1 << DIGIT_BITS) - 1)
static const uint32_t digit_shifts[] = {0, 11, 22, 32, 43};

/* Digits that all keys share are skipped. */
static bool radix_sort(uint64_t *keys, size_t n) {
  uint64_t *spare = hr_alloc(n, sizeof *spare), *from = keys, *to = spare, differ = 0;
  if (!spare) return false;
  for (size_t i = 1; i < n; i++) differ |= keys[i] ^ keys[0];
  for (size_t digit = 0; digit < sizeof digit_shifts / sizeof *digit_shifts; digit++) {
    uint32_t shift = digit_shifts[digit];
    uint64_t mask = shift == 22 ? DIGIT_MASK >> 1 : DIGIT_MASK; /* a row has 32 bits */
    if (!(differ >> shift & mask)) continue;
    uint32_t starts[DIGIT_MASK + 2] = {0};
    for (size_t i = 0; i < n; i++) starts[(from[i] >> shift & mask) + 1]++;
    for (size_t d = 0; d <= mask; d++) starts[d + 1] += starts[d];
    for (size_t i = 0; i < n; i++) to[starts[from[i] >> shift & mask]++] = from[i];
    uint64_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != keys) memcpy(keys, from, n * sizeof *keys);
  free(spare);
  return true;
}

/* Up to here insertion beats clearing and filling the counters of several digits. */
#define SMALL 64

static bool sort(uint64_t *keys, size_t n) {
  if (n > SMALL) return radix_sort(keys, n);
  insertion_sort(keys, n);
  return true;
}

/* --- thinning -------------------------------------------------------------------- */

/* Drops what lies beyond the limit, and of the rows at the limit all but the least. */
static bool thin(hr_nearest *top) {
  size_t kept = 0, equal = 0;
  uint64_t *near = top->near;
  for (size_t i = 0; i < top->size; i++) {
    uint64_t one = near[i];
    if (distance_of(one) > top->limit) continue;
    near[kept + equal] = one;
    if (distance_of(one) == top->limit) {
      equal++;
    } else {
      near[kept + equal] = near[kept];
      near[kept++] = one;
    }
  }
  size_t room = top->k - top->nearer;
  if (equal > room && !top->by_entry) {
    if (!sort(near + kept, equal)) return false;
    equal = room;
    top->last = (uint32_t)near[kept + equal - 1];
    top->counts[top->limit] = (uint32_t)equal;
  }
  top->size = kept + equal;
  return true;
}

bool hr_nearest_make_room(hr_nearest *top) {
  if (!thin(top)) return false;
  if (top->size <= top->capacity / 2) return true;
  uint64_t *near = hr_alloc(top->capacity * 2, sizeof *near);
  if (!near) return false;
  memcpy(near, top->near, top->size * sizeof *near);
  free(top->near);
  top->near = near;
  top->capacity *= 2;
  return true;
}

/* How far ahead of their turn rows are fetched. */
#define AHEAD 16

void hr_nearest_rename(hr_nearest *top, const uint32_t *rows, size_t count) {
  for (size_t i = 0; i < top->size; i++) {
    if (i + AHEAD < top->size) HR_PREFETCH(&rows[hr_near_row(top, i + AHEAD)]);
    uint32_t row = rows[hr_near_row(top, i)];
    /* A damaged file, mapped without its CRCs checked, may hold any number. */
    top->near[i] = top->near[i] >> 32 << 32 | (row < count ? row : 0);
  }
  top->by_entry = false;
}

bool hr_nearest_finish(hr_nearest *top) { return thin(top) && sort(top->near, top->size); }
