/* The cheapest way through sorted codes: bucket tables, a scan, or one after the other. */
#ifndef HR_PLAN_H
#define HR_PLAN_H

#include "mih/mih.h"

/* The sorted codes of an index and what is known about searching them. */
typedef struct {
  hr_postings *sorted;
  hr_mih *mih;    /* NULL: too few codes for tables */
  hr_costs costs; /* all zero until measured */
} hr_plan;

void hr_plan_close(hr_plan *plan);
size_t hr_plan_bytes(const hr_plan *plan);

/* Measures `costs` by searching for some of the codes. Takes about a millisecond. */
hr_status hr_plan_measure(hr_plan *plan);

typedef struct {
  const hr_plan *plan;
  const uint64_t *queries;
  size_t count;
  const uint8_t *allow; /* a bit a row of the sorted codes, or NULL */
  const int *cancel;
  size_t first, end; /* blocks to scan, where that is what is done */
  bool scan;         /* do not look at the tables */
  bool walk;         /* never scan if there are tables */
  uint8_t *deferred; /* set to 1 for queries that should be scanned, or walk for long, which are
                        then left; NULL: they are answered */
} hr_plan_request;

/* What the answers took, summed over the queries; `radius` is the least of them. */
typedef struct {
  uint64_t checked, probed, scanned;
  uint32_t radius;
} hr_plan_work;

hr_status hr_plan_search(const hr_plan_request *request, hr_collector *tops, hr_plan_work *work);

#endif
