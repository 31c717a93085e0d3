/* Searching sorted codes by a ranking rule: prefix after prefix, or where too many of them would
 * matter all codes. */
#ifndef HR_WALK_H
#define HR_WALK_H

#include "rank/each.h"

/* What walks over the prefixes of some sorted codes, for one query after another. */
typedef struct {
  const hr_prefixes *prefixes;
  const hr_postings *postings; /* that they are of */
  hr_ranked_rows rows;
  const hr_ranked_query *query;
  hr_nearest *nearest;
  /* Prefixes that are compared in this round: */
  uint64_t *taken; /* distance << 32 | number */
  uint32_t *order; /* the numbers, the nearest first */
  size_t size, capacity, room;
  size_t *starts;   /* in `order`, by distance */
  uint32_t *counts; /* of histogram.h: distances of a sample of all */
  size_t among;     /* so many */
  /* Where centres have costs, those that are left of them: a heap, the cheapest first. */
  hr_ranked_id *cells;
} hr_walker;

/* False when out of memory; to be closed in any case. */
bool hr_walker_open(hr_walker *walker, const hr_prefixes *prefixes, const hr_postings *postings,
                    const hr_ranked_rows *rows);
void hr_walker_close(hr_walker *walker);

/* Offers the codes to `nearest`: prefix after prefix, the nearest first, until no other can have
 * any that matters. */
hr_status hr_walk(hr_walker *walker, const hr_ranked_query *query, hr_nearest *nearest);

#endif
