/* What the files of this folder do for each other. */
#ifndef HR_RANK_INTERNAL_H
#define HR_RANK_INTERNAL_H

#include "rank/walk.h"

/* The part of the distance that all codes of a prefix have, of which so many bits differ. */
typedef struct {
  uint32_t differ;
  double cost;
} hr_shared;

/* Compares the codes of a prefix. False when out of memory. */
bool hr_compare_prefix(const hr_walker *walker, size_t prefix, hr_shared shared);
/* The same of one of which so many bits differ, unless what it costs is too much already. */
bool hr_try_prefix(const hr_walker *walker, size_t prefix, uint32_t differ);
/* Compares all codes but those whose prefixes differ in less than `low` bits. */
hr_status hr_compare_all(const hr_walker *walker, uint32_t low);
/* Compares the codes of one centre after the other, the cheapest first, until none can matter. */
hr_status hr_walk_cells(hr_walker *walker);

#endif
