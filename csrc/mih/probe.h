/* Searching by buckets: those at probe radius 0, 1, 2 ... of each table, the cheapest next. */
#ifndef HR_PROBE_H
#define HR_PROBE_H

#include "mih/cost.h"
#include "mih/mih.h"
#include "topk/collector.h"

/* When to abandon the tables for a scan. */
typedef struct {
  const hr_costs *costs;
  double scan_ns; /* what a scan costs */
  double endured; /* so many times as much may be spent by the clock; 0: it is not looked at */
  double began;   /* when, by the clock; 0: not known yet */
  bool estimated; /* going on has to be worth it by what it is estimated to cost */
  bool abandoned; /* set if that happened: the result is not complete */
} hr_budget;

/* Offers to the collector, of entries, what may be among the nearest of one query. `allow`: a bit a
 * row, or NULL. budget = NULL: goes on to the end. query->work is all zero before. */
hr_status hr_probe(const hr_mih *mih, const hr_queries *query, const uint8_t *allow,
                   hr_budget *budget, hr_collector *collector);

#endif
