/* From the nearest entries to their rows, by (distance, row). */
#ifndef HR_LISTING_H
#define HR_LISTING_H

#include "scan/scan.h"
#include "storage/postings.h"

/* What listing one selection after the other needs; all zero at first. */
typedef struct {
  uint32_t *entries, *rows, *spare;
  size_t entries_room, rows_room, spare_room;
  uint64_t *marks;    /* a bit a row, all zero in between; NULL until needed */
  uint8_t *distances; /* of rows that are marked; NULL until needed */
} hr_expansion;

void hr_expansion_close(hr_expansion *listing);

/* Appends the k nearest rows that `allow`, a bit a row, lets pass (NULL: all), ascending by
 * (distance, row). `top` is thinned. False when out of memory. */
bool hr_expand(hr_expansion *listing, const hr_postings *sorted, hr_collector *top,
               const uint8_t *allow, hr_reach *out);

#endif
