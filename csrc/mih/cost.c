/* The order of rings: what each will cost, and when a scan costs less. */
#include <math.h>

#include "mih/internal.h"

/* What `codes` codes in one bucket take. */
static double codes_cost(const hr_costs *costs, double codes) {
  double fetched = fmin(codes, HR_FETCHED_CODES);
  return fetched * costs->code + (codes - fetched) * costs->block / HR_LANES;
}

/* What ring `ring` of a table will cost. Its buckets are as long as those of the latest ring,
 * less so the farther it lies: around a query codes crowd, far off they are average. */
static double ring_cost(const hr_walk *w, const hr_costs *costs, uint32_t number, uint32_t ring) {
  const hr_mih_table *t = &w->mih->table[number];
  double mean = (double)w->mih->sorted->entries / (double)((size_t)1 << t->prefix);
  double excess = w->length[number] - mean;
  for (uint32_t r = w->rings[number] ? w->rings[number] : 1; r <= ring; r++) excess /= 2;
  return hr_binomial(t->prefix, ring) * (costs->bucket + codes_cost(costs, mean + excess));
}

uint32_t hr_walk_cheapest(const hr_walk *w, const hr_costs *costs, const uint32_t *rings,
                          double *cost) {
  uint32_t best = 0;
  *cost = INFINITY;
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    double one = ring_cost(w, costs, i, rings[i]);
    if (one < *cost) {
      *cost = one;
      best = i;
    }
  }
  return best;
}

bool hr_walk_complete(const hr_walk *w, const uint32_t *rings, uint32_t limit) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    if (rings[i] > w->mih->table[i].prefix) return true;
    sum += rings[i];
  }
  return sum > limit;
}

/* Survivors that are looked up for each result: some are beaten later. */
#define LOOKED_UP 2

/* What is left to do until all codes within `limit` were seen. */
static double remaining_cost(const hr_walk *w, const hr_costs *costs, uint32_t limit) {
  uint32_t rings[HR_MIH_MAX_TABLES];
  memcpy(rings, w->rings, sizeof rings);
  double results = w->top->k == SIZE_MAX ? 0 : LOOKED_UP * (double)w->top->k, cost;
  double left = results - (double)w->work->found, sum = left > 0 ? left * costs->found : 0;
  while (!hr_walk_complete(w, rings, limit)) {
    rings[hr_walk_cheapest(w, costs, rings, &cost)]++;
    sum += cost;
  }
  return sum;
}

/* Distances up to this one are looked at to foresee the limit. */
#define FORESEEN 64

/* unseen[d]: the share of codes at distance d, differing in random bits, that no ring so far
 * has shown: those with at least rings[i] different bits in the prefix of every table i. */
static void unseen_shares(const hr_walk *w, uint32_t limit, double *unseen) {
  const hr_mih *mih = w->mih;
  uint32_t bits = mih->sorted->rows.bits, rest = bits;
  double ways[FORESEEN + 1] = {1}, next[FORESEEN + 1];
  for (uint32_t i = 0; i <= mih->tables; i++) {
    uint32_t width = i < mih->tables ? mih->table[i].prefix : rest;
    uint32_t least = i < mih->tables ? w->rings[i] : 0;
    double choices[FORESEEN + 1];
    for (uint32_t d = 0; d <= limit; d++)
      choices[d] = d >= least && d <= width ? hr_binomial(width, d) : 0;
    for (uint32_t d = 0; d <= limit; d++) {
      next[d] = 0;
      for (uint32_t e = 0; e <= d; e++) next[d] += ways[e] * choices[d - e];
    }
    memcpy(ways, next, sizeof ways);
    if (i < mih->tables) rest -= width;
  }
  for (uint32_t d = 0; d <= limit; d++) unseen[d] = ways[d] / hr_binomial(bits, d);
}

/* The distance within which there are k codes, judging by those found and by the share of
 * codes so far that the rings would have missed. At most the present limit. */
static uint32_t foreseen_limit(const hr_walk *w) {
  double unseen[FORESEEN + 1], sum = 0;
  uint32_t limit = w->top->limit;
  if (w->top->k == SIZE_MAX || limit > FORESEEN) return limit;
  unseen_shares(w, limit, unseen);
  for (uint32_t d = 0; d < limit; d++) {
    if (unseen[d] < 1) sum += w->top->counts[d] / (1 - unseen[d]);
    if (sum >= (double)w->top->k) return d;
  }
  return limit;
}

/* Share of a scan's cost that may be spent before it is known whether the walk pays. */
#define EXPLORED 0.07
/* Predictions are off by some: a walk that is to cost nearly as much as a scan is none. */
#define WORTHWHILE 0.9

/* A walk that goes on whatever is foreseen may spend so many times as much. */
#define ENDURED 2

double hr_walk_spent(const hr_walk *w, const hr_costs *costs) {
  const hr_mih_work *work = w->work;
  return (double)work->buckets * costs->bucket + (double)work->found * costs->found +
         (double)(work->candidates - work->streamed) * costs->code +
         (double)work->streamed * costs->block / HR_LANES;
}

/* The present limit bounds what is left to do: the k-th distance only falls. So what was once
 * foreseen to pay does, until it has cost more than that. */
bool hr_walk_pays(hr_walk *w, const hr_budget *patience, double next) {
  const hr_costs *costs = patience->costs;
  double scan_ns = patience->scan_ns, spent = hr_walk_spent(w, costs);
  if (!patience->foresee) return spent + next < ENDURED * scan_ns;
  if (spent + next <= w->promised) return true;
  /* The query's own code costs one bucket, and is what collapsed codes are full of. */
  if (!w->work->buckets && next < scan_ns) return true;
  double k = w->top->k == SIZE_MAX ? 0 : (double)w->top->k, worth = WORTHWHILE * scan_ns;
  if (LOOKED_UP * k * costs->found > worth) return false;
  /* Much was spent and the end is not near: predictions for this query are not to be trusted. */
  if (spent > scan_ns) return false;
  if (spent + next <= EXPLORED * scan_ns) return true;
  worth -= spent / 2;
  double left = remaining_cost(w, costs, w->top->limit);
  if (left > worth) left = remaining_cost(w, costs, foreseen_limit(w));
  w->promised = spent + left;
  return left <= worth;
}
