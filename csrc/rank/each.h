/* Searching by a ranking rule, code after code. */
#ifndef HR_EACH_H
#define HR_EACH_H

#include "rank/costs.h"
#include "rank/nearest.h"
#include "scan/scan.h"

/* Rows that may be found, and what is noted while they are searched. */
typedef struct {
  const hr_segment *rows; /* their ids */
  const uint8_t *allow;   /* a bit a row, or NULL */
  const int *cancel;      /* or NULL */
  hr_work *work;
} hr_ranked_rows;

/* Offers all codes of a source to `nearest`. */
hr_status hr_rank_each(const hr_ranked_rows *rows, const hr_source *source,
                       const hr_ranked_query *query, hr_nearest *nearest);

#endif
