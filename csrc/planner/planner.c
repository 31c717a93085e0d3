/* Measuring, deciding and carrying out. */
#include "planner/planner.h"

#include <math.h>
#include <time.h>

#include "base/memory.h"
#include "scan/scan.h"

void hr_plan_close(hr_plan *plan) {
  hr_mih_free(plan->mih);
  hr_postings_free(plan->sorted);
  *plan = (hr_plan){0};
}

size_t hr_plan_bytes(const hr_plan *plan) {
  return (plan->sorted ? hr_postings_bytes(plan->sorted) : 0) +
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
#define TRIAL_RESULTS 10
#define ROUNDS 3
/* A clock may tick coarsely. */
#define LEAST_NS 0.01

/* Every fourth bit flipped: near to no code, as queries are. */
#define FLIPPED 0x1111111111111111u

/* The words of some entry, changed, for a query. */
static void copy_query(const hr_postings *sorted, size_t number, uint64_t *query) {
  size_t entry = sorted->entries / (TRIAL_QUERIES + 1) * (number + 1);
  const uint64_t *words = hr_postings_entry(sorted, entry);
  for (size_t w = 0; w < sorted->words; w++) query[w] = words[w * HR_LANES] ^ FLIPPED;
}

static size_t trial_blocks(const hr_postings *sorted) {
  size_t blocks = hr_postings_blocks(sorted);
  return blocks < TRIAL_BLOCKS ? blocks : TRIAL_BLOCKS;
}

/* Of a query, for what lies within `radius`. */
static hr_status time_scan(const hr_postings *sorted, const uint64_t *queries, size_t count,
                           uint32_t radius, hr_collector *const *tops, double *each) {
  *each = INFINITY;
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t q = 0; q < count; q++) hr_collector_reset(tops[q], radius);
    double began = now_ns();
    hr_status status =
        hr_postings_scan(sorted, 0, trial_blocks(sorted), queries, count, NULL, NULL, tops);
    double spent = (now_ns() - began) / (double)count;
    if (status) return status;
    if (spent < *each) *each = spent;
  }
  return HR_OK;
}

static hr_status time_scans(const hr_postings *sorted, const uint64_t *queries,
                            hr_collector *const *tops, hr_costs *costs) {
  double blocks = (double)trial_blocks(sorted), one, grouped, nearest;
  hr_status status = time_scan(sorted, queries, 1, 0, tops, &one);
  if (!status) status = time_scan(sorted, queries, TRIAL_QUERIES, 0, tops, &grouped);
  if (!status) status = time_scan(sorted, queries, 1, UINT32_MAX, tops, &nearest);
  if (status) return status;
  costs->block = fmax(one / blocks, LEAST_NS);
  costs->grouped = fmax(grouped / blocks, LEAST_NS);
  costs->narrow = fmax(nearest - one, 0);
  return HR_OK;
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

/* Looking up a candidate takes a bucket of table 0 and a search in it, overlapping with others:
 * 90 to 140 ns. */
#define BUCKETS_PER_FOUND 1

/* Every other walk sees the first quarter of each bucket only. */
#define SHORTENED 2

static double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_value);
  return values[count / 2];
}

/* Just after memory was filled, reading it here and there has been seen to take twenty times as
 * long as ever after: a bucket and a code in it take no longer than so many blocks of a scan. */
#define MOST_BLOCKS 200
#define MOST_BLOCKS_A_CODE 1

/* What whole buckets take longer than short ones is their codes'. Codes in buckets, fetched from
 * here and there, take 1.1 to 1.2 ns each and a bucket about 100 besides; codes in a scan 0.2. */
static void split_costs(double whole, double part, double codes, double fewer, hr_costs *costs) {
  double code = codes - fewer < 1 ? 0 : (whole - part) / (codes - fewer);
  code = fmin(fmax(code, costs->block / HR_LANES), MOST_BLOCKS_A_CODE * costs->block);
  if (codes > 0) code = fmin(code, 0.8 * whole / codes);
  costs->code = code;
  costs->bucket = fmin(fmax(whole - code * codes, LEAST_NS), MOST_BLOCKS * costs->block);
  costs->found = BUCKETS_PER_FOUND * costs->bucket;
}

static hr_status time_walks(const hr_plan *plan, const uint64_t *queries, hr_collector *top,
                            hr_costs *costs) {
  double each[2][TRIAL_QUERIES / 2], codes[2] = {0}, buckets[2] = {0};
  for (size_t q = 0; q < TRIAL_QUERIES; q++) {
    uint32_t part = q % 2;
    hr_mih_work work;
    double began = now_ns();
    hr_status status = hr_mih_trial(plan->mih, queries + q * plan->sorted->words, TRIAL_BUCKETS,
                                    part * SHORTENED, top, &work);
    double spent = now_ns() - began;
    if (status) return status;
    double looked_into = (double)(work.buckets + BUCKETS_PER_FOUND * work.found);
    each[part][q / 2] = spent / looked_into;
    codes[part] += (double)work.candidates;
    buckets[part] += looked_into;
  }
  split_costs(median(each[0], TRIAL_QUERIES / 2), median(each[1], TRIAL_QUERIES / 2),
              codes[0] / buckets[0], codes[1] / buckets[1], costs);
  return HR_OK;
}

hr_status hr_plan_measure(hr_plan *plan) {
  const hr_postings *sorted = plan->sorted;
  uint32_t farthest = (uint32_t)sorted->words * 64;
  uint64_t *queries = hr_alloc(TRIAL_QUERIES * sorted->words, sizeof *queries);
  hr_collector opened[TRIAL_QUERIES] = {{0}}, *tops[TRIAL_QUERIES];
  hr_status status = queries ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; q < TRIAL_QUERIES; q++) {
    tops[q] = &opened[q];
    if (!status && !hr_collector_open(tops[q], TRIAL_RESULTS, farthest, farthest))
      status = HR_NO_MEMORY;
    if (!status) copy_query(sorted, q, queries + q * sorted->words);
  }
  hr_costs costs = {0};
  if (!status) status = time_scans(sorted, queries, tops, &costs);
  if (!status && plan->mih) status = time_walks(plan, queries, tops[0], &costs);
  for (size_t q = 0; q < TRIAL_QUERIES; q++) hr_collector_close(tops[q]);
  free(queries);
  if (!status) plan->costs = costs;
  return status;
}

/* --- searching -------------------------------------------------------------------- */

/* What would be scanned otherwise, or walked through on a thread that can be stopped, is put off
 * when it has taken about twice as long, if it may be put off. */
#define HERE_NS 2e6

/* A request, whose queries all ask for the same, under way. */
typedef struct {
  const hr_plan_request *request;
  hr_plan_work *work;
  hr_history *habits;    /* NULL: nothing to choose */
  const hr_costs *costs; /* by which a walk is given up; NULL: it never is */
  uint32_t asked_for;
  double scan_ns;    /* of a query, as foreseen */
  uint64_t *queries; /* those that are left for a scan, side by side */
  hr_collector **tops;
  size_t count, walked; /* of them, and how many of these a walk was tried for */
} searching;

static bool open_searching(searching *s, const hr_plan_request *r, const hr_collector *tops,
                           hr_plan_work *work) {
  const hr_plan *plan = r->plan;
  const hr_costs *costs = &plan->costs;
  bool together = r->count >= HR_GROUP;
  *s = (searching){.request = r, .work = work, .scan_ns = HERE_NS};
  s->queries = hr_alloc(r->count * plan->sorted->words, sizeof *s->queries);
  s->tops = hr_alloc(r->count, sizeof(hr_collector *));
  if (r->walk && r->deferred) s->costs = hr_costs_typical();
  if (!r->count || !plan->mih || r->scan || r->walk) return s->queries && s->tops;
  size_t k = tops[0].k;
  s->costs = costs;
  s->habits = hr_mih_habits(plan->mih);
  s->asked_for = hr_query_class(k, tops[0].radius, plan->sorted->rows.bits, together, r->allow);
  s->scan_ns =
      (double)hr_postings_blocks(plan->sorted) * (together ? costs->grouped : costs->block);
  if (k != SIZE_MAX) s->scan_ns += costs->narrow;
  return s->queries && s->tops;
}

static void close_searching(searching *s) {
  free(s->queries);
  free(s->tops);
}

static void leave_for_scan(searching *s, size_t q, hr_collector *top) {
  const hr_plan_request *r = s->request;
  size_t words = r->plan->sorted->words;
  if (r->deferred) {
    r->deferred[q] = 1;
    return;
  }
  hr_collector_restart(top);
  memcpy(s->queries + s->count * words, r->queries + q * words, words * sizeof *r->queries);
  s->tops[s->count++] = top;
}

static hr_status walk_query(searching *s, size_t q, const hr_choice *choice, hr_collector *top,
                            hr_mih_work *done) {
  const hr_plan_request *r = s->request;
  const hr_plan *plan = r->plan;
  hr_budget patience = {s->costs, choice->scan_ns, choice->way == HR_WAY_MODEL};
  hr_status status = hr_mih_search(plan->mih, r->queries + q * plan->sorted->words, r->allow,
                                   r->cancel, s->costs ? &patience : NULL, top, done);
  s->work->checked += done->candidates;
  s->work->probed += done->buckets;
  if (!done->gave_up && done->radius < s->work->radius) s->work->radius = done->radius;
  return status;
}

static void remember(const searching *s, hr_way way, double ns, const hr_mih_work *done) {
  hr_history_record(s->habits, s->asked_for, way, ns, done->gave_up, s->scan_ns);
  hr_history_record_correction(s->habits, s->asked_for, ns, done->foreseen, s->scan_ns);
}

static hr_choice choose(const searching *s) {
  const hr_plan_request *r = s->request;
  if (s->habits) return hr_history_choose(s->habits, s->asked_for, s->scan_ns);
  return (hr_choice){r->scan || !r->plan->mih ? HR_WAY_SCAN : HR_WAY_PROBE, false, s->scan_ns};
}

static hr_status answer(searching *s, size_t q, const hr_choice *choice, hr_collector *top) {
  hr_mih_work done = {.gave_up = true};
  if (choice->way != HR_WAY_SCAN) {
    double began = choice->timed ? now_ns() : 0;
    hr_status status = walk_query(s, q, choice, top, &done);
    if (status) return status;
    if (choice->timed) remember(s, choice->way, now_ns() - began, &done);
  }
  if (done.gave_up) leave_for_scan(s, q, top);
  s->walked += done.gave_up && choice->way != HR_WAY_SCAN;
  return HR_OK;
}

/* What is left after walks may be too few queries for a scan to be shared. */
static void remember_scan(const searching *s, double ns) {
  if (s->walked > s->count / 2)
    hr_history_record_scan(s->habits, s->asked_for, ns);
  else if (s->count == s->request->count || s->count >= HR_GROUP)
    hr_history_record(s->habits, s->asked_for, HR_WAY_SCAN, ns, false, s->scan_ns);
}

static hr_status scan_those_left(searching *s) {
  const hr_plan_request *r = s->request;
  s->work->checked += (uint64_t)s->count * (r->end - r->first) * HR_LANES;
  s->work->scanned += s->count;
  double began = now_ns();
  hr_status status = hr_postings_scan(r->plan->sorted, r->first, r->end, s->queries, s->count,
                                      r->allow, r->cancel, s->tops);
  if (!status && s->habits) remember_scan(s, (now_ns() - began) / (double)s->count);
  return status;
}

hr_status hr_plan_search(const hr_plan_request *r, hr_collector *tops, hr_plan_work *work) {
  searching s;
  hr_status status = open_searching(&s, r, tops, work) ? HR_OK : HR_NO_MEMORY;
  size_t section = r->count >= HR_GROUP ? HR_SECTION : 1;
  for (size_t from = 0; !status && from < r->count; from += section) {
    size_t end = from + section < r->count ? from + section : r->count;
    hr_choice choice = choose(&s);
    for (size_t q = from; !status && q < end; q++) status = answer(&s, q, &choice, &tops[q]);
  }
  if (!status && s.count) status = scan_those_left(&s);
  close_searching(&s);
  return status;
}
