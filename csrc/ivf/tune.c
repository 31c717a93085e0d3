/* Dials by measurement.
 *
 * Codes of the index ask for their neighbours, themselves left out. A scan tells the k-th distance,
 * and the recall is the share of the k results that lie within it, so that it does not matter
 * which of equally far codes are found. In which order a query looks into lists does not depend on
 * the dial: following it once shows what each list adds, and from which dial on. The least dial is
 * taken whose recall is the wanted one and some standard errors more. Then it is measured, with the
 * 95% percentile bootstrap over the queries (Efron 1979) as interval.
 *
 * Recalls of single queries differ most where few neighbours and a low recall are wanted. So a few
 * ask first: they tell how many have to ask, and whether lists pay at all.
 */
#include <math.h>

#include "base/memory.h"
#include "ivf/internal.h"
#include "storage/blocks.h"

static const uint32_t levels[HR_IVF_LEVELS] = {1, 10, 100, 1000};
/* A level needs so many times its k in rows. */
#define LEAST_SHARE 16
/* Codes that ask together, and first of all. */
#define TOGETHER ((size_t)256)
/* So many ask that the standard error of the recall is this, within these bounds. */
#define STANDARD_ERROR 0.0025
#define LEAST 2000.0
/* Standard errors that the recall lies above the wanted one: some 90 to 95% of indexes reach it. */
#define SURE 1.645
#define RESAMPLED 1000

typedef struct {
  const hr_source *source;
  const int *cancel;
  double wanted;
  uint64_t *words; /* of all that ask */
  size_t width, all;
  size_t asking[HR_IVF_LEVELS]; /* so many of them at each level */
  size_t count;                 /* so many now */
  uint16_t *kth[HR_IVF_LEVELS]; /* exact distances */
  float *recalls;               /* of one dial, of each query */
  hr_work work;                 /* of that dial */
} tuning;

static void close_tuning(tuning *t) {
  free(t->words);
  free(t->recalls);
  for (int i = 0; i < HR_IVF_LEVELS; i++) free(t->kth[i]);
}

static bool open_tuning(const hr_source *source, const hr_codes *asking, const int *cancel,
                        tuning *t) {
  *t = (tuning){.source = source,
                .cancel = cancel,
                .words = hr_alloc(asking->count * asking->words, sizeof *t->words),
                .width = asking->words,
                .all = asking->count,
                .recalls = hr_alloc(asking->count, sizeof *t->recalls)};
  bool ok = t->words && t->recalls;
  for (int i = 0; i < HR_IVF_LEVELS; i++)
    ok = (t->kth[i] = hr_alloc(asking->count, sizeof **t->kth)) && ok;
  for (size_t q = 0; ok && q < t->all; q++)
    hr_words_gather(hr_code_at(asking->blocks, t->width, q), t->width, t->words + q * t->width);
  return ok;
}

/* Queries [from, from + TOGETHER), or as many as there are, for the k nearest. */
static hr_queries some(tuning *t, size_t from, size_t k) {
  size_t left = t->count - from;
  return (hr_queries){.words = t->words + from * t->width,
                      .count = left < TOGETHER ? left : TOGETHER,
                      .width = t->width,
                      .k = k,
                      .radius = UINT32_MAX,
                      .cancel = t->cancel,
                      .work = &t->work};
}

/* The distance within which there are k rows, of k at most that were looked for. */
static uint32_t distance_of(const hr_collector *found, uint64_t k) {
  uint32_t distance = 0;
  uint64_t rows = found->counts[0];
  while (rows < k && distance < hr_collector_reach(found)) rows += found->counts[++distance];
  return distance;
}

/* The levels up to the last one at which a query asks. */
static int levels_of(const tuning *t, size_t query) {
  int used = HR_IVF_LEVELS;
  while (used && t->asking[used - 1] <= query) used--;
  return used;
}

/* The exact distances of all that ask, from one on: a query's own code counts too. */
static hr_status find_exact(tuning *t, size_t from) {
  hr_status status = HR_OK;
  t->count = t->all;
  for (int used; !status && (used = levels_of(t, from)) > 0; from += TOGETHER) {
    hr_queries queries = some(t, from, levels[used - 1] + 1);
    hr_collector *found = hr_collectors_open(HR_ENTRIES, &queries), *each[TOGETHER];
    for (size_t q = 0; found && q < queries.count; q++) each[q] = &found[q];
    status = found ? hr_scan(t->source, &queries, each) : HR_NO_MEMORY;
    for (size_t q = 0; !status && q < queries.count; q++)
      for (int i = 0; i < used; i++)
        t->kth[i][from + q] = (uint16_t)distance_of(&found[q], levels[i] + 1);
    hr_collectors_close(found, queries.count);
  }
  return status;
}

/* The recall of each query at a dial, a query's own code left out. */
static void set_recalls(tuning *t, const hr_ivf_events *events, uint32_t dial, uint32_t k) {
  for (size_t q = 0; q < t->count; q++) t->recalls[q] = -1.0f / (float)k;
  for (size_t i = 0; i < events->size; i++)
    if (events->list[i].dial <= dial)
      t->recalls[events->list[i].query] += (float)events->list[i].gain / (float)k;
}

static hr_status trace(tuning *t, const hr_ivf_target *target, int number, hr_ivf_events *events) {
  hr_status status = HR_OK;
  for (size_t from = 0; !status && from < t->count; from += TOGETHER) {
    hr_queries queries = some(t, from, levels[number] + 1);
    size_t before = events->size;
    status = hr_ivf_trace(target, &queries, t->kth[number] + from, events);
    for (size_t i = before; i < events->size; i++) events->list[i].query += (uint32_t)from;
  }
  return status;
}

/* What is measured of the dial, searching as others will. */
static hr_status measure(tuning *t, const hr_ivf_target *target, int number) {
  uint32_t k = levels[number];
  hr_status status = HR_OK;
  t->work = (hr_work){0};
  for (size_t from = 0; !status && from < t->count; from += TOGETHER) {
    hr_queries queries = some(t, from, k + 1);
    hr_collector *found = hr_collectors_open(HR_ENTRIES, &queries);
    status = found ? hr_ivf_probe(target, &queries, found) : HR_NO_MEMORY;
    for (size_t q = 0; !status && q < queries.count; q++) {
      uint32_t within = hr_ivf_count_within(&found[q], t->kth[number][from + q]);
      t->recalls[from + q] = (float)(within - (within > 0)) / (float)k;
    }
    hr_collectors_close(found, queries.count);
  }
  return status;
}

/* The mean recall, and by how much it would differ with other queries: the variance of it. */
static double mean_recall(const tuning *t, double *variance) {
  double sum = 0, squares = 0, n = (double)t->count;
  for (size_t q = 0; q < t->count; q++) {
    sum += (double)t->recalls[q];
    squares += (double)t->recalls[q] * (double)t->recalls[q];
  }
  *variance = (squares / n - sum / n * (sum / n)) / n;
  return sum / n;
}

/* Whether the recall is the wanted one and so many standard errors more. */
static bool reaches(const tuning *t, double sure) {
  double variance, above = mean_recall(t, &variance) - t->wanted;
  return above >= 0 && above * above >= sure * sure * variance;
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

static uint32_t millionths(double share) { return (uint32_t)(share * HR_MAX_RECALL + 0.5); }

/* Means of queries drawn with replacement, the same ones each time (Marsaglia's xorshift). */
static void set_interval(const tuning *t, hr_ivf_level *level) {
  double means[RESAMPLED];
  uint64_t drawn = 0x9E3779B97F4A7C15u;
  for (size_t i = 0; i < RESAMPLED; i++) {
    double sum = 0;
    for (size_t q = 0; q < t->count; q++) {
      drawn ^= drawn << 13;
      drawn ^= drawn >> 7;
      drawn ^= drawn << 17;
      sum += (double)t->recalls[(drawn >> 32) * t->count >> 32];
    }
    means[i] = sum / (double)t->count;
  }
  qsort(means, RESAMPLED, sizeof *means, by_value);
  level->low = millionths(means[RESAMPLED / 40]);
  level->high = millionths(means[RESAMPLED - 1 - RESAMPLED / 40]);
}

/* The least dial that reaches; more than HR_IVF_MAX_DIAL: none does. */
static uint32_t least_dial(tuning *t, const hr_ivf_events *events, uint32_t k, double sure) {
  uint32_t small = 0, end = HR_IVF_MAX_DIAL + 1;
  while (small < end) {
    uint32_t dial = small + (end - small) / 2;
    set_recalls(t, events, dial, k);
    if (reaches(t, sure))
      end = dial;
    else
      small = dial + 1;
  }
  return small;
}

static uint32_t mean_reach(const tuning *t, int number) {
  size_t sum = 0;
  for (size_t q = 0; q < t->count; q++) sum += t->kth[number][q];
  return (uint32_t)(sum / t->count);
}

/* Sets the least dial that reaches, and measures it; HR_IVF_SCAN: comparing all costs less. */
static hr_status find_dial(tuning *t, hr_ivf_target *target, int number, double sure) {
  hr_ivf_events events = {0};
  hr_status status = trace(t, target, number, &events);
  if (!status) target->dial = least_dial(t, &events, levels[number], sure);
  free(events.list);
  if (!status && target->dial <= HR_IVF_MAX_DIAL) status = measure(t, target, number);
  bool dear = t->work.checked / t->count >= target->ivf->entries / HR_IVF_SHARE;
  if (dear || target->dial > HR_IVF_MAX_DIAL) target->dial = HR_IVF_SCAN;
  return status;
}

/* How many have to ask at a level: none if lists do not pay. */
static hr_status plan_level(tuning *t, const hr_ivf *ivf, int number) {
  hr_ivf_target target = {ivf, t->source, 0};
  double variance;
  t->count = t->asking[number];
  hr_status status = find_dial(t, &target, number, 0);
  if (status) return status;
  mean_recall(t, &variance);
  double enough = fmax(variance * (double)t->count / (STANDARD_ERROR * STANDARD_ERROR), LEAST);
  if (target.dial == HR_IVF_SCAN) enough = 0;
  t->asking[number] = (size_t)fmin(enough, (double)t->all);
  return HR_OK;
}

static hr_status tune_level(tuning *t, hr_ivf *ivf, int number) {
  hr_ivf_level *level = &ivf->head.level[number];
  hr_ivf_target target = {ivf, t->source, 0};
  *level = (hr_ivf_level){.k = levels[number], .dial = HR_IVF_SCAN};
  t->count = t->asking[number];
  if (!t->count) return HR_OK;
  hr_status status = find_dial(t, &target, number, SURE);
  double variance;
  if (status || target.dial == HR_IVF_SCAN) return status;
  level->dial = target.dial;
  level->recall = millionths(mean_recall(t, &variance));
  level->reach = mean_reach(t, number);
  level->compared = t->work.checked / t->count;
  ivf->head.queries[number] = (uint32_t)t->count;
  set_interval(t, level);
  return HR_OK;
}

hr_status hr_ivf_tune(hr_ivf *ivf, const hr_postings *postings, const hr_codes *asking,
                      uint32_t recall, const int *cancel) {
  hr_source source = hr_source_of_postings(postings, NULL, HR_ENTRIES);
  tuning t;
  int used = 0;
  hr_status status = open_tuning(&source, asking, cancel, &t) ? HR_OK : HR_NO_MEMORY;
  t.wanted = (double)recall / HR_MAX_RECALL;
  while (used < HR_IVF_LEVELS && levels[used] * (size_t)LEAST_SHARE <= postings->rows.count)
    t.asking[used++] = TOGETHER;
  if (!status) status = find_exact(&t, 0);
  for (int i = 0; !status && i < used; i++) status = plan_level(&t, ivf, i);
  if (!status) status = find_exact(&t, TOGETHER);
  for (int i = 0; !status && i < used; i++) status = tune_level(&t, ivf, i);
  close_tuning(&t);
  return status;
}
