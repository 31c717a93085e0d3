/* Exact search that looks into buckets only: multi-index hashing.
 *
 * A code is cut into `tables` substrings. If a code is within r of the query, and t_i
 * are numbers with sum(t_i + 1) > r, then some substring i of it is within t_i of the
 * query's (general pigeonhole: Qin et al., "GPH", ICDE 2018; Norouzi et al., TPAMI 2014).
 * So a search that has looked into all buckets within t_i in every table i has seen
 * all codes within sum(t_i + 1) - 1. It goes on, bucket ring by bucket ring, the cheapest
 * next, until that radius reaches the k-th distance.
 */
#ifndef HR_MIH_H
#define HR_MIH_H

#include "planner/history.h"
#include "storage/postings.h"

#define HR_MIH_MAX_TABLES 8

typedef struct hr_mih hr_mih;

/* Nanoseconds, measured on the machine. */
typedef struct {
  double block;   /* scanning 8 codes for one query */
  double grouped; /* the same for one of a group of queries */
  double narrow;  /* what a scan takes beyond that to find a limit for the nearest */
  double bucket;  /* finding a bucket */
  double code;    /* comparing one of its first candidates; the rest are read as in a scan */
  double found;   /* looking up a candidate that is near enough */
} hr_costs;

/* Codes of a bucket that are fetched from here and there; the processor reads on by itself. */
#define HR_FETCHED_CODES 128

/* Where none were measured. */
const hr_costs *hr_costs_typical(void);

/* Tables over the entries of `sorted`, which must outlive them. tables = 0: as many as
 * suit the number of entries. */
hr_status hr_mih_build(const hr_postings *sorted, uint32_t tables, const int *cancel, hr_mih **out);
void hr_mih_free(hr_mih *mih);
size_t hr_mih_bytes(const hr_mih *mih);
/* Of searches that have these tables and a scan to choose from. */
hr_history *hr_mih_habits(const hr_mih *mih);

/* The tables as byte ranges for a file, each to begin at a multiple of 64. */
#define HR_MIH_PARTS (2 * HR_MIH_MAX_TABLES)
size_t hr_mih_parts(const hr_mih *mih, hr_span *parts);
/* Reads them again; they borrow the bytes. HR_BAD_FORMAT if they do not fit the codes. */
hr_status hr_mih_open(const hr_postings *sorted, const uint8_t *bytes, size_t size, hr_mih **out);

/* What a search did. */
typedef struct {
  uint64_t buckets, candidates, found;
  uint64_t streamed; /* candidates that lie behind the first HR_FETCHED_CODES of a bucket */
  double foreseen;   /* nanoseconds that all of it is expected to take; by patience's costs */
  uint32_t radius;   /* all codes within it were seen */
  bool gave_up;      /* the rest costs more than a scan: the result is not complete */
} hr_mih_work;

/* When to give up a walk. */
typedef struct {
  const hr_costs *costs;
  double scan_ns; /* what a scan costs */
  bool foresee;   /* as soon as going on will cost more; else once so much was spent */
} hr_budget;

/* Offers the codes that may be among the nearest. patience = NULL: never gives up. */
hr_status hr_mih_search(const hr_mih *mih, const uint64_t *query, const uint8_t *allow,
                        const int *cancel, const hr_budget *patience, hr_collector *top,
                        hr_mih_work *work);

/* Walks until `buckets` buckets were looked into, of each the first part in 2^shortened, for codes
 * as near as random ones have some neighbours: for measuring. */
hr_status hr_mih_trial(const hr_mih *mih, const uint64_t *query, uint64_t buckets,
                       uint32_t shortened, hr_collector *top, hr_mih_work *work);

#endif
