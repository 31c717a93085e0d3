/* Exhaustive search over a set of rows. */
#ifndef HR_SCAN_H
#define HR_SCAN_H

#include "base/cancel.h"
#include "storage/segment.h"
#include "topk/select.h"

/* A tile stays in L2 while all queries of a batch pass over it. */
#define HR_TILE_BYTES ((size_t)256 << 10)

/* A growing list of rows in reach. */
typedef struct {
  hr_neighbor *near;
  size_t size, capacity;
} hr_reach;

/* Makes room for so many more; false when out of memory. */
bool hr_reach_reserve(hr_reach *reach, size_t more);

/* Appends; false when out of memory. */
static inline bool hr_reach_push(hr_reach *reach, uint32_t distance, uint32_t row) {
  if (reach->size == reach->capacity && !hr_reach_reserve(reach, 1)) return false;
  reach->near[reach->size++] = (hr_neighbor){distance, row};
  return true;
}

/* Offers the rows of blocks [first, end) to one selection per query. `queries`
 * holds rows->words words each; `allow` a bit a row, or NULL. */
hr_status hr_scan_topk(const hr_segment *rows, size_t first, size_t end, const uint64_t *queries,
                       size_t count, const uint8_t *allow, const int *cancel, hr_topk *tops);

/* Appends the rows at a distance <= radius, ascending, to one list per query. */
hr_status hr_scan_radius(const hr_segment *rows, size_t first, size_t end, const uint64_t *queries,
                         size_t count, const uint8_t *allow, const int *cancel, uint32_t radius,
                         hr_reach *reach);

#endif
