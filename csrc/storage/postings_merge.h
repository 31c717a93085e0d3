/* Sorted codes and others become one. */
#ifndef HR_POSTINGS_MERGE_H
#define HR_POSTINGS_MERGE_H

#include "storage/postings.h"

/* What hr_postings_build would make of the live rows of both, of which no two have the same id, in
 * one pass over each. Beside the result it takes four bytes a row. HR_BAD_FORMAT: they are of a
 * damaged file, which was mapped without its CRCs checked. Polls `cancel`, which may be NULL. */
hr_status hr_postings_merge(const hr_postings *sorted, const hr_postings *more, const int *cancel,
                            hr_postings **out);

#endif
