/* What ways of answering have cost, so that the next query takes the cheapest.
 *
 * A plan foresees what a walk will cost; where it is mistaken, it would be so for each query
 * of that kind. So the time that queries take is remembered by what they ask for, and the way
 * that took least is gone, but for one query in EXPLORED (habits.c) that tries another.
 * Queries that search at the same time share the figures; one may get lost, none is torn.
 */
#ifndef HR_HABITS_H
#define HR_HABITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  HR_AS_PLANNED, /* walk, and scan once the walk is to cost more */
  HR_SCAN_ONLY,
  HR_WALK_ON, /* walk, unless that took several times as long as a scan */
  HR_WAYS
} hr_way;

#define HR_ASKED_FOR 256

/* All zero at first: not known. */
typedef struct {
  float ns;   /* what a query takes, without a scan that follows */
  float left; /* share of queries that a scan follows */
  uint32_t times;
} hr_habit;

typedef struct {
  uint32_t asked[HR_ASKED_FOR];
  hr_habit of[HR_ASKED_FOR][HR_WAYS];
} hr_habits;

/* What is asked for, as a number: k nearest (SIZE_MAX: all) within `radius` of `bits` bits. */
uint32_t hr_asked_for(size_t k, uint32_t radius, uint32_t bits, bool together, bool filtered);

/* The way to go, and whether its time is worth taking. A scan is to take scan_ns. */
hr_way hr_habits_choose(hr_habits *habits, uint32_t asked_for, double scan_ns, bool *timed);
/* Whether a query was left for a scan, which is recorded by itself. */
void hr_habits_record(hr_habits *habits, uint32_t asked_for, hr_way way, double ns, bool left);

#endif
