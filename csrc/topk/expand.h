/* From what a collector holds to rows, by (distance, row). */
#ifndef HR_EXPAND_H
#define HR_EXPAND_H

#include "topk/collector.h"

typedef struct {
  uint32_t distance;
  uint32_t row;
} hr_neighbor;

/* A growing list. */
typedef struct {
  hr_neighbor *list;
  size_t size, capacity;
} hr_neighbors;

/* What expanding one collector after the other needs; the rest is zero at first. */
typedef struct {
  const hr_postings *postings; /* whose entries are expanded */
  const uint8_t *allow;        /* a bit a row: which of their rows may pass; NULL: all */
  const hr_postings *few;      /* of HR_FEW_ENTRIES, whose rows all pass */
  const hr_collector *collector;
  const hr_postings *of; /* of this collector */
  const uint8_t *passing;
  uint32_t *items, *rows, *spare;
  size_t items_room, rows_room, spare_room;
  uint64_t *marks;    /* a bit a row, all zero in between; NULL until needed */
  uint8_t *distances; /* of rows that are marked; NULL until needed */
} hr_expansion;

void hr_expansion_close(hr_expansion *expansion);

/* The k nearest rows, ascending by (distance, row). False when out of memory. */
bool hr_expand(hr_expansion *expansion, const hr_collector *collector, hr_neighbors *out);

#endif
