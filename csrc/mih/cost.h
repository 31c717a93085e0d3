/* What looking into buckets costs, in nanoseconds. */
#ifndef HR_COST_H
#define HR_COST_H

#include "mih/mih.h"

/* Measured on the machine; all zero: not yet. */
typedef struct {
  double block;   /* scanning 8 codes for one query */
  double grouped; /* the same for one of a group of queries */
  double narrow;  /* what a scan takes beyond that to find a limit for the nearest */
  double bucket;  /* finding a bucket */
  double code;    /* comparing one of its first codes; the rest are read as in a scan */
  double verify;  /* looking up a candidate among the sorted codes */
} hr_costs;

/* Codes of a bucket that are fetched from here and there; the processor reads on by itself. */
#define HR_FETCHED_CODES 128

/* Where none were measured. */
extern const hr_costs hr_typical_costs;
/* What looking into the buckets of these tables costs. */
hr_costs hr_mih_costs(const hr_mih *mih, const hr_costs *costs);
/* What is to be expected of the work on a query that was not scanned. */
double hr_costs_of(const hr_costs *costs, const hr_work *work);

#endif
