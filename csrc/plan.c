/* Measuring, deciding and carrying out. */
#include "plan.h"

#include <math.h>
#include <time.h>

#include "memory.h"
#include "scan.h"

void hr_plan_close(hr_plan *plan) {
  hr_mih_free(plan->mih);
  hr_sorted_free(plan->sorted);
  *plan = (hr_plan){0};
}

size_t hr_plan_bytes(const hr_plan *plan) {
  return (plan->sorted ? hr_sorted_bytes(plan->sorted) : 0) +
         (plan->mih ? hr_mih_bytes(plan->mih) : 0);
}

/* --- measuring ------------------------------------------------------------------- */

static double now_ns(void) {
  struct timespec now;
#ifdef _WIN32
  timespec_get(&now, TIME_UTC);
#else
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Blocks that are scanned to measure: out of the first two caches where there are so many. */
#define TRIAL_BLOCKS ((size_t)1 << 17)
/* Walks of so many buckets each, from codes far apart: a second walk from the same code would
 * find its buckets in the cache, as no query does. */
#define TRIAL_QUERIES 16
#define TRIAL_BUCKETS 256
#define ROUNDS 3
/* A clock may tick coarsely. */
#define LEAST_NS 0.01

/* Every fourth bit flipped: near to no code, as queries are. */
#define FLIPPED 0x1111111111111111u

/* The words of some entry, changed, for a query. */
static void copy_query(const hr_sorted *sorted, size_t number, uint64_t *query) {
  size_t entry = sorted->entries / (TRIAL_QUERIES + 1) * (number + 1);
  const uint64_t *words = hr_sorted_entry(sorted, entry);
  for (size_t w = 0; w < sorted->words; w++) query[w] = words[w * HR_LANES] ^ FLIPPED;
}

static hr_status time_scan(const hr_sorted *sorted, const uint64_t *queries, size_t count,
                           hr_nearest *const *tops, double *per_block) {
  size_t blocks = hr_sorted_blocks(sorted);
  size_t end = blocks < TRIAL_BLOCKS ? blocks : TRIAL_BLOCKS;
  *per_block = INFINITY;
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t q = 0; q < count; q++) hr_nearest_reset(tops[q], 0);
    double began = now_ns();
    hr_status status = hr_sorted_scan(sorted, 0, end, queries, count, NULL, NULL, tops);
    double spent = (now_ns() - began) / (double)(end * count);
    if (status) return status;
    if (spent < *per_block) *per_block = spent;
  }
  if (*per_block < LEAST_NS) *per_block = LEAST_NS;
  return HR_OK;
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

/* Looking up a candidate takes a bucket of table 0 and a search in it. */
#define BUCKETS_PER_FOUND 2

/* The median over the walks of what a bucket costs beyond its candidates, which are read as
 * fast as in a scan. */
static hr_status time_walks(const hr_plan *plan, const uint64_t *queries, hr_nearest *top,
                            hr_costs *costs) {
  double each[TRIAL_QUERIES];
  costs->code = costs->block / HR_LANES;
  for (size_t q = 0; q < TRIAL_QUERIES; q++) {
    hr_mih_work work;
    double began = now_ns();
    hr_status status =
        hr_mih_trial(plan->mih, queries + q * plan->sorted->words, TRIAL_BUCKETS, top, &work);
    double spent = now_ns() - began, candidates = (double)work.candidates * costs->code;
    if (status) return status;
    double rest = spent > 1.25 * candidates ? spent - candidates : spent / 5;
    each[q] = rest / (double)(work.buckets + BUCKETS_PER_FOUND * work.found);
  }
  qsort(each, TRIAL_QUERIES, sizeof *each, by_value);
  costs->bucket = fmax(each[TRIAL_QUERIES / 2], LEAST_NS);
  costs->found = BUCKETS_PER_FOUND * costs->bucket;
  return HR_OK;
}

hr_status hr_plan_measure(hr_plan *plan) {
  const hr_sorted *sorted = plan->sorted;
  uint32_t farthest = (uint32_t)sorted->words * 64;
  uint64_t *queries = hr_alloc(TRIAL_QUERIES * sorted->words, sizeof *queries);
  hr_nearest opened[TRIAL_QUERIES] = {{0}}, *tops[TRIAL_QUERIES];
  hr_status status = queries ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; q < TRIAL_QUERIES; q++) {
    tops[q] = &opened[q];
    if (!status && !hr_nearest_open(tops[q], 1, farthest, farthest)) status = HR_NO_MEMORY;
    if (!status) copy_query(sorted, q, queries + q * sorted->words);
  }
  hr_costs costs = {0};
  if (!status) status = time_scan(sorted, queries, 1, tops, &costs.block);
  if (!status) status = time_scan(sorted, queries, TRIAL_QUERIES, tops, &costs.grouped);
  if (!status && plan->mih) status = time_walks(plan, queries, tops[0], &costs);
  for (size_t q = 0; q < TRIAL_QUERIES; q++) hr_nearest_close(tops[q]);
  free(queries);
  if (!status) plan->costs = costs;
  return status;
}

/* --- searching -------------------------------------------------------------------- */

/* Queries that are left for a scan, side by side. */
typedef struct {
  uint64_t *queries;
  hr_nearest **tops;
  size_t count;
} leftover;

static void leave(leftover *left, size_t words, const uint64_t *query, hr_nearest *top) {
  memcpy(left->queries + left->count * words, query, words * sizeof *query);
  left->tops[left->count++] = top;
}

static hr_status walk_query(const hr_plan_request *r, size_t q, hr_nearest *top, hr_plan_work *work,
                            bool *gave_up) {
  const hr_plan *plan = r->plan;
  const hr_costs *costs = &plan->costs;
  double scan_ns = (double)hr_sorted_blocks(plan->sorted) *
                   (r->count >= HR_GROUP ? costs->grouped : costs->block);
  hr_mih_work done;
  hr_status status = hr_mih_search(plan->mih, r->queries + q * plan->sorted->words, r->allow,
                                   r->cancel, r->walk ? NULL : costs, scan_ns, top, &done);
  work->checked += done.candidates;
  work->probed += done.buckets;
  *gave_up = done.gave_up;
  if (!done.gave_up && done.radius < work->radius) work->radius = done.radius;
  return status;
}

static hr_status scan_leftover(const hr_plan_request *r, const leftover *left, hr_plan_work *work) {
  work->checked += (uint64_t)left->count * (r->end - r->first) * HR_LANES;
  work->scanned += left->count;
  return hr_sorted_scan(r->plan->sorted, r->first, r->end, left->queries, left->count, r->allow,
                        r->cancel, left->tops);
}

/* Queries of a batch are alike: when so many in a row gave up, only one in so many tries. */
#define TRIES 4
#define RETRY 16

hr_status hr_plan_search(const hr_plan_request *r, hr_nearest *tops, hr_plan_work *work) {
  size_t words = r->plan->sorted->words;
  leftover left = {hr_alloc(r->count * words, sizeof *left.queries),
                   hr_alloc(r->count, sizeof(hr_nearest *)), 0};
  hr_status status = left.queries && left.tops ? HR_OK : HR_NO_MEMORY;
  size_t failures = 0;
  for (size_t q = 0; !status && q < r->count; q++) {
    bool gave_up = true;
    if (r->plan->mih && !r->scan && (failures < TRIES || q % RETRY == 0))
      status = walk_query(r, q, &tops[q], work, &gave_up);
    failures = gave_up ? failures + 1 : 0;
    if (!gave_up) continue;
    if (r->deferred) {
      r->deferred[q] = 1;
      continue;
    }
    hr_nearest_begin_again(&tops[q]);
    leave(&left, words, r->queries + q * words, &tops[q]);
  }
  if (!status && left.count) status = scan_leftover(r, &left, work);
  free(left.queries);
  free(left.tops);
  return status;
}
