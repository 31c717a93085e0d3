/* The cheapest way through sorted codes: bucket tables, a scan, or one after the other. */
#ifndef HR_PLANNER_H
#define HR_PLANNER_H

#include "mih/mih.h"
#include "planner/calibration.h"
#include "planner/history.h"
#include "scan/scan.h"

/* What is known about searching some sorted codes. All zero at first; of use from the first
 * calibration on. Searches that run at the same time share it. */
typedef struct {
  hr_policy policy;
  hr_costs costs;
  hr_history history;
} hr_planner;

/* Where to search, and what may be done there. */
typedef struct {
  const hr_postings *postings;
  const hr_mih *mih;    /* NULL: too few codes for tables */
  hr_planner *planner;  /* costs are known if there is a choice */
  hr_source source;     /* what is scanned, where that is done */
  const uint8_t *allow; /* a bit a row that may be found, or NULL */
  bool scan;            /* do not look at the tables */
  bool probe;           /* never scan if there are tables */
  uint8_t *deferred;    /* set to 1 for queries that should be scanned, or take long, which are then
                           left; NULL: they are answered */
} hr_target;

/* Answers queries that all ask for the same, each by a collector of entries, which holds what the
 * source does if that was scanned. */
hr_status hr_planner_search(const hr_target *target, const hr_queries *queries,
                            hr_collector *collectors);

#endif
