/* From rows to sorted codes. */
#ifndef HR_POSTINGS_BUILD_H
#define HR_POSTINGS_BUILD_H

#include "storage/postings.h"

/* Sorts the live rows; `rows` stays as it is. Polls `cancel`, which may be NULL. */
hr_status hr_postings_build(const hr_segment *rows, const int *cancel, hr_postings **out);
/* Keeps the codes by row too if they are few enough and hardly any are equal: a scan of them
 * meets rows in their order, and reads no far row numbers. */
hr_status hr_postings_keep_by_row(hr_postings *postings);

#endif
