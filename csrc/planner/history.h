/* What ways of answering have cost, so that the next query takes the cheapest.
 *
 * The cost model predicts what probing the tables will cost; where it is mistaken, it would be so
 * for each query of that class. So the time that queries take is remembered by what they ask for:
 * how it compares with what was predicted, by which the model is corrected, and what each way
 * takes. The way that took least is gone, but for a query now and then that tries another
 * (history.c). Queries that search at the same time share the figures; one may get lost, none is
 * torn.
 */
#ifndef HR_HISTORY_H
#define HR_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  HR_WAY_MODEL, /* probe, and scan once going on is estimated to cost more */
  HR_WAY_SCAN,
  HR_WAY_PROBE, /* probe, unless that took several times as long as a scan */
  HR_WAYS
} hr_way;

#define HR_QUERY_CLASSES 256

/* All zero at first: not known. */
typedef struct {
  float ns;   /* what a query takes, without a scan that follows */
  float left; /* share of queries that a scan follows */
  uint32_t times;
} hr_record;

typedef struct {
  uint32_t asked[HR_QUERY_CLASSES];   /* how often */
  float scan[HR_QUERY_CLASSES];       /* what the scan takes that follows a probe, as few share it;
                                         0: not known */
  float correction[HR_QUERY_CLASSES]; /* time of a probe / what was predicted; 0: not known */
  hr_record of[HR_QUERY_CLASSES][HR_WAYS];
} hr_history;

typedef struct {
  hr_way way;
  bool timed;     /* whether its time is worth taking */
  double scan_ns; /* what a scan takes, in nanoseconds such as the model counts */
} hr_choice;

/* What is asked for: k nearest (SIZE_MAX: all) within `radius` of `bits` bits. */
typedef struct {
  size_t k;
  uint32_t radius, bits;
  bool together, filtered;
} hr_asked;

uint32_t hr_query_class(const hr_asked *asked);

/* Queries asked together take turns in sections that go the same way: fewer would share no scan,
 * and each would find in the cache what another way left there. */
#define HR_SECTION 8

/* The way to go, for one turn; `two`: not the third. A scan is predicted to take scan_ns. */
hr_choice hr_history_choose(hr_history *history, uint32_t query_class, double scan_ns, bool two);
/* The time of the scan that would follow, in nanoseconds such as the model counts. */
double hr_history_corrected(const hr_history *history, uint32_t query_class, double scan_ns);

/* What came of a query. */
typedef struct {
  hr_way way;
  double ns;        /* what it took */
  bool left;        /* for a scan, which is recorded by itself */
  double scan_ns;   /* what a scan is predicted to take */
  double predicted; /* what the work that was done should have taken; 0: not known */
} hr_outcome;

void hr_history_record(hr_history *history, uint32_t query_class, const hr_outcome *outcome);
/* What a scan took of each query that was left for it. */
void hr_history_record_scan(hr_history *history, uint32_t query_class, double ns);

#endif
