/* Some rows of a segment with a copy of their codes: where they are few, comparing the copy costs
 * less than looking for them among all. */
#ifndef HR_SUBSET_H
#define HR_SUBSET_H

#include "storage/postings.h"

typedef struct {
  uint64_t *blocks; /* codes, laid out as kernels.h says; NULL: none were copied */
  size_t count;
  uint32_t *rows;      /* of each code, ascending; or NULL, and */
  hr_postings *shared; /* each different code once, with the rows that have it */
} hr_subset;

void hr_subset_free(hr_subset *subset);

/* Whether the codes of sorted rows can be copied: they are found by row. */
static inline bool hr_postings_listed(const hr_postings *postings) {
  return postings->by_row || postings->entry_of;
}

/* Copies the codes of some rows of a segment, whose codes are in `postings` if that is not NULL.
 * The list of ascending `rows` is taken over, on failure too. */
hr_status hr_subset_open(const hr_segment *segment, const hr_postings *postings, uint32_t *rows,
                         size_t count, hr_subset *out);

#endif
