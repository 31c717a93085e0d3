/* Scanning and probing for some of the codes, by the clock. */
#include "planner/calibration.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mih/probe.h"
#include "scan/scan.h"
#include "storage/blocks.h"

/* What is scanned to measure: out of all caches where there is so much. */
#define TRIAL_BYTES ((size_t)64 << 20)
/* Queries for the nearest few around codes far apart, as a second one around the same code would
 * find its buckets in the cache; each until typical buckets would have taken so long. */
#define TRIAL_QUERIES 16
#define TRIAL_RESULTS 10
#define TRIAL_NS 12800
#define ROUNDS 3
/* A clock may tick coarsely. */
#define LEAST_NS 0.01

/* Every fourth bit flipped: near to no code, as queries are. */
#define FLIPPED 0x1111111111111111u

/* The words of some entry, changed, for a query. */
static void copy_query(const hr_postings *postings, size_t number, uint64_t *query) {
  size_t entry = postings->entries / (TRIAL_QUERIES + 1) * (number + 1);
  hr_words_gather(hr_postings_entry(postings, entry), postings->words, query);
  for (size_t w = 0; w < postings->words; w++) query[w] ^= FLIPPED;
}

/* A calibration under way: queries side by side, with a collector each. */
typedef struct {
  const hr_postings *postings;
  const hr_mih *mih;
  hr_queries queries;
  hr_collector *opened, *collectors[TRIAL_QUERIES];
} trial;

static size_t trial_blocks(const trial *t) {
  size_t blocks = hr_block_count(t->postings->entries);
  size_t most = TRIAL_BYTES / hr_block_bytes(1, t->postings->words);
  return blocks < most ? blocks : most;
}

/* What a scan for `count` queries takes of each, for what lies within `radius`, where no code is
 * left early. */
static hr_status time_scan(const trial *t, size_t count, uint32_t radius, double *each) {
  hr_source source = hr_source_of_postings(t->postings, NULL, HR_ENTRIES);
  hr_queries queries = hr_queries_part(&t->queries, 0, count);
  source.end = trial_blocks(t);
  source.whole = true;
  *each = INFINITY;
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t q = 0; q < count; q++) hr_collector_reset(t->collectors[q], radius);
    double began = hr_now_ns();
    hr_status status = hr_scan(&source, &queries, t->collectors);
    double spent = (hr_now_ns() - began) / (double)count / (double)source.end;
    if (status) return status;
    if (spent < *each) *each = spent;
  }
  return HR_OK;
}

static hr_status time_scans(const trial *t, hr_costs *costs) {
  double one, grouped, nearest;
  hr_status status = time_scan(t, 1, 0, &one);
  if (!status) status = time_scan(t, TRIAL_QUERIES, 0, &grouped);
  if (!status) status = time_scan(t, 1, UINT32_MAX, &nearest);
  if (status) return status;
  costs->block = fmax(one, LEAST_NS);
  costs->grouped = fmax(grouped, LEAST_NS);
  costs->narrow = fmax(nearest - one, 0) * (double)trial_blocks(t);
  return HR_OK;
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

static double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_value);
  return values[count / 2];
}

/* Just after memory was filled, reading it here and there has been seen to take twenty times as
 * long as ever after: a bucket takes no longer than so many blocks of a scan. */
#define MOST_BLOCKS 200

/* What looking into buckets takes beside what is typical; one factor for all, as what a bucket
 * takes and what its codes take are both memory's. */
static hr_status time_probes(trial *t, hr_costs *costs) {
  const hr_costs *typical = &hr_typical_costs;
  double factors[TRIAL_QUERIES];
  for (size_t q = 0; q < TRIAL_QUERIES; q++) {
    hr_work work = {0};
    hr_queries query = hr_queries_part(&t->queries, q, 1);
    hr_budget budget = {typical, TRIAL_NS, false, false};
    query.work = &work;
    hr_collector_reset(t->collectors[q], UINT32_MAX);
    double began = hr_now_ns();
    hr_status status = hr_probe(t->mih, &query, NULL, &budget, t->collectors[q]);
    if (status) return status;
    hr_costs own = hr_mih_costs(t->mih, typical);
    double expected = hr_costs_of(&own, &work); /* nothing where the first bucket is too long */
    factors[q] = expected > 0 ? (hr_now_ns() - began) / expected : 1;
  }
  double most = MOST_BLOCKS * costs->block / typical->bucket;
  double factor = fmin(fmax(median(factors, TRIAL_QUERIES), LEAST_NS / typical->code), most);
  costs->bucket = factor * typical->bucket;
  costs->code = factor * typical->code;
  costs->verify = factor * typical->verify;
  return HR_OK;
}

/* Fills `words` with the queries. */
static bool open_trial(trial *t, uint64_t *words, hr_work *work) {
  t->queries = (hr_queries){.words = words,
                            .count = TRIAL_QUERIES,
                            .width = t->postings->words,
                            .k = TRIAL_RESULTS,
                            .radius = UINT32_MAX,
                            .work = work};
  t->opened = words ? hr_collectors_open(HR_ENTRIES, &t->queries) : NULL;
  for (size_t q = 0; t->opened && q < TRIAL_QUERIES; q++) {
    t->collectors[q] = t->opened + q;
    copy_query(t->postings, q, words + q * t->postings->words);
  }
  return t->opened;
}

hr_status hr_calibrate(const hr_postings *postings, const hr_mih *mih, hr_costs *costs) {
  trial t = {.postings = postings, .mih = mih};
  hr_costs found = {0};
  hr_work work = {0};
  uint64_t *words = hr_alloc(TRIAL_QUERIES * postings->words, sizeof *words);
  hr_status status = open_trial(&t, words, &work) ? HR_OK : HR_NO_MEMORY;
  if (!status) status = time_scans(&t, &found);
  if (!status && mih) status = time_probes(&t, &found);
  hr_collectors_close(t.opened, TRIAL_QUERIES);
  free(words);
  if (!status) *costs = found;
  return status;
}
