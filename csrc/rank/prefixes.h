/* The different prefixes of sorted codes. Codes that are sorted as bit strings stand together by
 * prefix, so that each has a run of entries. */
#ifndef HR_PREFIXES_H
#define HR_PREFIXES_H

#include "storage/postings.h"

/* Where the prefixes of classes lie. One snaps to the nearest, of several to the first. */
typedef struct {
  uint64_t *blocks; /* laid out as kernels.h says */
  size_t count;     /* 0: there are no classes */
} hr_centres;

struct hr_prefixes {
  uint32_t bits;
  size_t words; /* of a prefix */
  hr_centres centres;
  double share;
  uint64_t state; /* of the index when its codes were sorted so */
  /* Of each prefix, in the order of the codes: */
  size_t count;
  uint64_t *blocks;  /* itself, other bits zero */
  uint32_t *starts;  /* count + 1: its entries are starts[p] .. starts[p + 1] */
  uint32_t *classes; /* the centre it snaps to; NULL: there are none */
  /* Their numbers by centre: those of a centre are by_class[class_starts[c]] and so on. */
  uint32_t *by_class, *class_starts;
};

/* What hr_prefixes_open makes of a rule alone: no codes are sorted. */
hr_status hr_prefixes_create(const hr_rule *rule, hr_prefixes **out);
/* Finds those of the sorted codes; `prefixes` are to be freed in any case. */
hr_status hr_prefixes_find(hr_prefixes *prefixes, const hr_postings *postings);

/* The prefix of a code whose words are `stride` apart. */
void hr_prefix_take(const hr_prefixes *prefixes, const uint64_t *code, size_t stride,
                    uint64_t *out);
/* The number of the centre that a prefix snaps to; 0 if there are none. */
uint32_t hr_prefix_snap(const hr_prefixes *prefixes, const uint64_t *prefix);

#endif
