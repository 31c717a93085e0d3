/* Which buckets come next, what they will cost, and when a scan costs less. */
#include "mih/cost.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "mih/internal.h"

const hr_costs hr_typical_costs = {
    .block = 2, .grouped = 0.5, .bucket = 100, .code = 1, .verify = 100};

/* A code that a bucket refers to is fetched from elsewhere: it is reckoned as so many that lie in
 * the bucket, however long that is. */
#define REFERRED 12

hr_costs hr_mih_costs(const hr_mih *mih, const hr_costs *costs) {
  hr_costs own = *costs;
  if (!hr_mih_refers(mih)) return own;
  own.code *= REFERRED;
  own.verify = own.code;
  own.block = own.code * HR_LANES;
  return own;
}

/* What `codes` codes in one bucket take. */
static double codes_cost(const hr_costs *costs, double codes) {
  double fetched = fmin(codes, HR_FETCHED_CODES);
  return fetched * costs->code + (codes - fetched) * costs->block / HR_LANES;
}

double hr_probing_price(const hr_probing *p, const hr_costs *costs, uint32_t number,
                        uint32_t radius) {
  const hr_mih_table *t = &p->mih->table[number];
  double mean = (double)p->mih->postings->entries / (double)((size_t)1 << t->prefix);
  double excess = p->length[number] - mean;
  for (uint32_t r = p->next[number] ? p->next[number] : 1; r <= radius; r++) excess /= 2;
  return hr_binomial(t->prefix, radius) * (costs->bucket + codes_cost(costs, mean + excess));
}

uint32_t hr_probing_cheapest(const hr_probing *p, const double *price) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < p->mih->tables; i++)
    if (price[i] < price[best]) best = i;
  return best;
}

bool hr_probing_complete(const hr_probing *p, const uint32_t *next, uint32_t reach) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < p->mih->tables; i++) {
    if (next[i] > p->mih->table[i].prefix) return true;
    sum += next[i];
  }
  return sum > reach;
}

/* Candidates that are verified for each result: some are beaten later. */
#define VERIFIED 2

/* What is left to do until all codes within `limit` were seen. */
static double remaining_cost(const hr_probing *p, const hr_costs *costs, uint32_t limit) {
  uint32_t next[HR_MIH_MAX_TABLES];
  double price[HR_MIH_MAX_TABLES];
  memcpy(next, p->next, sizeof next);
  memcpy(price, p->price, sizeof price);
  double results = p->collector->k == SIZE_MAX ? 0 : VERIFIED * (double)p->collector->k;
  double left = results - (double)p->work->verified, sum = left > 0 ? left * costs->verify : 0;
  while (!hr_probing_complete(p, next, limit)) {
    uint32_t number = hr_probing_cheapest(p, price);
    sum += price[number];
    price[number] = hr_probing_price(p, costs, number, ++next[number]);
  }
  return sum;
}

/* Share of a scan's cost that may be spent before it is known whether going on pays. */
#define FREE_SHARE 0.07
/* Estimates are off by some: what is to cost nearly as much as a scan is not begun. */
#define WORTHWHILE 0.9

double hr_costs_of(const hr_costs *costs, const hr_work *work) {
  return (double)work->probed * costs->bucket + (double)work->verified * costs->verify +
         (double)(work->checked - work->streamed) * costs->code +
         (double)work->streamed * costs->block / HR_LANES;
}

/* An estimate that is off by more than this is none: what is far below is not timed. */
#define MISTAKEN 8

/* Whether buckets that cost `next_ns` would be over in time, as far as what went before tells. */
static bool in_time(hr_budget *budget, double spent, double next_ns) {
  double most_ns = budget->endured * budget->scan_ns;
  if (MISTAKEN * (spent + next_ns) < most_ns && !budget->began) return true;
  double now = hr_now_ns();
  if (!budget->began) budget->began = now - spent;
  double took = now - budget->began, off = spent > 0 ? took / spent : 1;
  return took + off * next_ns < most_ns;
}

/* Codes lie in the buckets of table 0, and cost so much less than those that are fetched. */
#define IN_PLACE 4

/* What the codes of the own bucket cost beside its price: the nearest are not known yet, so they
 * are offered until there are enough. */
static double offering_cost(const hr_probing *p, const hr_costs *costs, uint32_t number) {
  const hr_postings *postings = p->mih->postings;
  if (p->collector->k == SIZE_MAX) return 0;
  double rows = (double)postings->rows.count / (double)postings->entries;
  double enough = VERIFIED * (double)p->collector->k / rows;
  return fmin(p->length[number], enough) * costs->verify / (number ? 1 : IN_PLACE);
}

/* The present limit bounds what is left to do: the k-th distance only falls. So what was once
 * estimated to pay does, until it has cost more than that. */
bool hr_probing_pays(hr_probing *p, hr_budget *budget, const hr_costs *costs, uint32_t number) {
  double scan_ns = budget->scan_ns, spent = hr_costs_of(costs, p->work);
  double next_ns = p->price[number];
  if (budget->endured > 0 && !in_time(budget, spent, next_ns)) return false;
  if (!budget->estimated) return true;
  if (spent + next_ns <= p->estimate) return true;
  /* The query's own bucket costs little if few codes are in it, as of collapsed ones. */
  if (!p->work->probed && next_ns + offering_cost(p, costs, number) < scan_ns) return true;
  double k = p->collector->k == SIZE_MAX ? 0 : (double)p->collector->k;
  double worth = WORTHWHILE * scan_ns;
  if (VERIFIED * k * costs->verify > worth) return false;
  /* Much was spent and the end is not near: estimates for this query are not to be trusted. */
  if (spent > scan_ns) return false;
  if (spent + next_ns <= FREE_SHARE * scan_ns) return true;
  worth -= spent / 2;
  double left = remaining_cost(p, costs, hr_collector_reach(p->collector));
  p->estimate = spent + left;
  return left <= worth;
}
