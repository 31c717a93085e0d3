/* One query on its way through the buckets. */
#ifndef HR_WALK_H
#define HR_WALK_H

#include "mih_tables.h"

typedef struct {
  uint32_t key, from, to;
} hr_bucket;

/* A candidate whose sketch is near enough, to be looked up among the sorted codes. */
typedef struct {
  uint32_t distance; /* the code's is not less */
  uint32_t key, at;  /* its bucket, and its place in the table */
} hr_survivor;

/* Survivors are looked up together, the nearest first: most of the others are out by then. */
#define HR_PENDING 1024

typedef struct {
  const hr_mih *mih;
  const uint64_t *query;
  const uint8_t *allow;
  const int *cancel;
  hr_nearest *top;
  hr_mih_work *work;
  uint32_t keys[HR_MIH_MAX_TABLES];
  uint32_t rings[HR_MIH_MAX_TABLES]; /* rings 0 .. rings[t] - 1 of table t are done */
  double length[HR_MIH_MAX_TABLES]; /* mean codes a bucket of the latest ring, at first of ring 0 */
  uint32_t *sketches;               /* of the query, for each table */
  hr_survivor pending[HR_PENDING], nearest_first[HR_PENDING];
  size_t pendings, enough; /* that many are looked up at once */
  uint32_t shortened;      /* buckets are cut to one part in 2^shortened; for measuring */
  double promised;         /* the walk pays as long as it has cost no more; nanoseconds */
} hr_walk;

/* --- survivors.c: candidates whose sketch is near enough --- */

/* Whether no ring that is done has shown this code, HR_LANES apart. */
bool hr_walk_first_seen(const hr_walk *w, const uint64_t *code);
/* Takes the survivors of a bucket of table `number`, in ring `ring`. False when out of memory. */
bool hr_walk_visit_sketches(hr_walk *w, uint32_t number, hr_bucket b, uint32_t ring);
/* Looks up those that wait. False when out of memory. */
bool hr_walk_settle(hr_walk *w, uint32_t number);

/* --- order.c: which ring is next, and whether to go on --- */

/* The table whose next ring is the cheapest, and its cost. */
uint32_t hr_walk_cheapest(const hr_walk *w, const hr_costs *costs, const uint32_t *rings,
                          double *cost);
/* Whether all codes within `limit` were seen: a table that is walked through shows all. */
bool hr_walk_complete(const hr_walk *w, const uint32_t *rings, uint32_t limit);
/* Whether going on, with a ring that costs `next`, is worth it beside a scan. */
bool hr_walk_pays(hr_walk *w, const hr_patience *patience, double next);
/* What was done so far takes so many nanoseconds. */
double hr_walk_spent(const hr_walk *w, const hr_costs *costs);

static inline size_t hr_least(size_t value, size_t most) { return value < most ? value : most; }

#endif
