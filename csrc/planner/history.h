/* What ways of answering have cost, so that the next query takes the cheapest.
 *
 * The cost model predicts when probing the tables stops to pay; where it is mistaken, it would be
 * so for each query of that class. So what each way took is remembered by what was asked for. The
 * first queries go by the model, later ones the way that took least; what that saves pays for
 * trying another way now and then (history.c). Which of it earns what: python -m
 * benchmarks.ablation. Queries that search at the same time share the figures; one may get lost,
 * none is torn.
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

/* Of queries that ask for the same; all zero at first: not known. */
typedef struct {
  float ns[HR_WAYS];       /* what a query takes, without a scan that follows */
  float left[HR_WAYS];     /* share of queries that a scan follows */
  float after;             /* what that scan takes: it knows a limit from what the tables showed */
  float saved;             /* what may be spent on trying another way, in nanoseconds */
  uint32_t times[HR_WAYS]; /* how often a way was timed */
  uint32_t afters;         /* and a scan that followed one */
  uint32_t asked;          /* queries */
  uint32_t tries;          /* runs of queries that tried another way */
  uint32_t trying, other;  /* queries still to come of such a run, and the way that they go */
} hr_record;

#define HR_QUERY_CLASSES 384

typedef struct {
  hr_record of[HR_QUERY_CLASSES];
} hr_history;

/* Where a filter allows few, a scan is of a copy of those. */
typedef enum { HR_UNFILTERED, HR_FILTERED, HR_FILTERED_FEW, HR_FILTERINGS } hr_filtering;

/* What is asked for: k nearest (SIZE_MAX: all) within `radius` of `bits` bits. */
typedef struct {
  size_t k;
  uint32_t radius, bits;
  bool together;
  hr_filtering filtering;
} hr_asked;

hr_record *hr_history_of(hr_history *history, const hr_asked *asked);

/* Queries asked together go the same way in sections: fewer would share no scan, and each would
 * find in the cache what another way left there. */
#define HR_SECTION 8

typedef struct {
  hr_way way;
  bool timed;     /* whether its time is worth taking */
  bool tried;     /* whether it is taken to learn what it costs */
  double scan_ns; /* what a scan takes of a query */
  double endured; /* a probe may take as long as so many, by the clock; 0: as is predicted */
} hr_choice;

/* How many of the `left` queries of a call go the next way together, where `usual` do. */
uint32_t hr_history_section(const hr_record *record, bool together, uint32_t usual, size_t left);
/* The way for so many queries. A scan is predicted to take scan_ns of each. Unless `tries`, it is
 * the one that seems cheapest. */
hr_choice hr_history_choose(hr_record *record, uint32_t queries, double scan_ns, bool tries);
/* Whether it is not known what scans take, and it matters: probing may cost less. */
bool hr_history_asks_scan(const hr_record *record, double scan_ns);
/* A query took `ns`, and is left for a scan or not. */
void hr_history_probed(hr_record *record, const hr_choice *choice, double ns, bool left);
typedef struct {
  double ns;     /* of a query */
  bool together; /* whether it was of many queries */
  bool after;    /* whether these had been probed */
} hr_scanned;

/* What a scan took, where scan_ns was predicted. */
void hr_history_scanned(hr_record *record, double scan_ns, const hr_scanned *found);

#endif
