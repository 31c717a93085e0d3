/* What ways of answering have cost, so that the next query takes the cheapest.
 *
 * A plan foresees what a walk will cost; where it is mistaken, it would be so for each query
 * of that kind. So the time that queries take is remembered by what they ask for: how it compares
 * with what was foreseen, by which plans are corrected, and what each way takes on the whole. The
 * way that took least is gone, but for a query now and then that tries another (habits.c).
 * Queries that search at the same time share the figures; one may get lost, none is torn.
 */
#ifndef HR_HABITS_H
#define HR_HABITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  HR_WAY_MODEL, /* walk, and scan once the walk is to cost more */
  HR_WAY_SCAN,
  HR_WAY_PROBE, /* walk, unless that took several times as long as a scan */
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
  uint32_t asked[HR_QUERY_CLASSES];
  float scan[HR_QUERY_CLASSES]; /* what the scan takes that follows a walk, as few share it; 0: not
                               known */
  float pace[HR_QUERY_CLASSES]; /* time of a walk / what it was foreseen to take; 0: not known */
  hr_record of[HR_QUERY_CLASSES][HR_WAYS];
} hr_history;

typedef struct {
  hr_way way;
  bool timed;     /* whether its time is worth taking */
  double scan_ns; /* what a scan takes, in nanoseconds such as walks are foreseen in */
} hr_choice;

/* What is asked for, as a number: k nearest (SIZE_MAX: all) within `radius` of `bits` bits. */
uint32_t hr_query_class(size_t k, uint32_t radius, uint32_t bits, bool together, bool filtered);

/* Queries asked together take turns in sections that go the same way: fewer would share no scan,
 * and each would find in the cache what another way left there. */
#define HR_SECTION 8

/* The way to go, for one turn. A scan is foreseen to take scan_ns. */
hr_choice hr_history_choose(hr_history *habits, uint32_t asked_for, double scan_ns);
/* What a query took, and whether it was left for a scan, which is recorded by itself and foreseen
 * to take scan_ns. */
void hr_history_record(hr_history *habits, uint32_t asked_for, hr_way way, double ns, bool left,
                       double scan_ns);
/* What a scan took of each query that was left for it. */
void hr_history_record_scan(hr_history *habits, uint32_t asked_for, double ns);
/* What a walk took, and was foreseen to; a scan is foreseen to take scan_ns. */
void hr_history_record_correction(hr_history *habits, uint32_t asked_for, double ns,
                                  double foreseen, double scan_ns);

#endif
