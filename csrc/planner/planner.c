/* Deciding which way each query goes, and going it. */
#include "planner/planner.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mih/probe.h"

/* What would be scanned otherwise, or probed on a thread that can be stopped, is put off when it
 * has taken about twice as long, if it may be put off. */
#define HERE_NS 2e6
#define DEFERRED 2
/* Of what scanning for a batch takes such a part may be lost by trying ways. */
#define SPARED 16

/* A search under way. */
typedef struct {
  const hr_target *target;
  const hr_queries *queries;
  hr_record *record;      /* of such queries; NULL: nothing to choose */
  const hr_costs *costs;  /* by which tables are abandoned; NULL: they never are */
  double scan_ns;         /* of a query, as the model predicts */
  uint64_t *words;        /* the queries that are left for a scan, side by side */
  hr_collector **scanned; /* and their collectors */
  size_t count;           /* how many they are */
  size_t after; /* how many more there are, from the end on, that are scanned apart: of long
                   codes, when the tables have shown a limit */
  bool timed;   /* whether what a scan takes is worth knowing */
  double spare; /* what may still be spent on learning what ways cost, in nanoseconds */
} searching;

static bool has_choice(const hr_target *t) {
  hr_policy policy = t->planner->policy;
  return t->mih && !t->scan && !t->probe && policy != HR_POLICY_SCAN && policy != HR_POLICY_PROBE;
}

static hr_filtering filtering(const hr_target *t) {
  if (t->source.rows || t->source.unit == HR_FEW_ENTRIES) return HR_FILTERED_FEW;
  return t->allow ? HR_FILTERED : HR_UNFILTERED;
}

static bool begin(searching *s, const hr_target *t, const hr_queries *queries) {
  /* A search may begin before costs were measured, while codes are sorted beside it. */
  bool known = t->planner->costs.block > 0;
  const hr_costs *costs = known ? &t->planner->costs : &hr_typical_costs;
  bool together = queries->count >= HR_GROUP;
  *s = (searching){.target = t, .queries = queries, .scan_ns = HERE_NS};
  s->words = hr_alloc(queries->count * queries->width, sizeof *s->words);
  s->scanned = hr_alloc(queries->count, sizeof *s->scanned);
  if (t->probe && t->deferred) s->costs = &hr_typical_costs;
  if (!has_choice(t)) return s->words && s->scanned;
  hr_asked asked = {queries->k, queries->radius, t->postings->rows.bits, together, filtering(t)};
  s->costs = costs;
  s->record = hr_history_of(&t->planner->history, &asked);
  s->scan_ns = (double)hr_block_count(t->source.count) * (together ? costs->grouped : costs->block);
  if (queries->k != SIZE_MAX) s->scan_ns += costs->narrow;
  /* Of a single query that is known too late. */
  s->spare = together ? s->scan_ns * (double)queries->count / SPARED : INFINITY;
  return s->words && s->scanned;
}

static hr_choice choose(const searching *s, uint32_t queries) {
  const hr_target *t = s->target;
  hr_policy policy = t->planner->policy;
  bool scan = !t->mih || t->scan || (policy == HR_POLICY_SCAN && !t->probe);
  if (!s->record)
    return (hr_choice){scan ? HR_WAY_SCAN : HR_WAY_PROBE, false, false, s->scan_ns, DEFERRED};
  if (policy == HR_POLICY_MODEL) return (hr_choice){HR_WAY_MODEL, false, false, s->scan_ns, 0};
  hr_choice choice = hr_history_choose(s->record, queries, s->scan_ns, s->spare > 0);
  if (policy == HR_POLICY_TWO_WAYS && choice.way == HR_WAY_PROBE) {
    choice.way = HR_WAY_MODEL;
    choice.endured = 0;
  }
  return choice;
}

/* A limit that is known makes scans of long codes cheaper (heads.h): such are not mixed with
 * others, so that it is known by how much. */
static bool scans_apart(const searching *s) {
  return s->record && s->queries->width >= HR_HEAD_WORDS;
}

static void leave_for_scan(searching *s, size_t q, bool probed, hr_collector *collector) {
  size_t width = s->queries->width;
  if (s->target->deferred) {
    s->target->deferred[q] = 1;
    return;
  }
  hr_collector_restart(collector, s->target->source.unit);
  bool apart = probed && scans_apart(s);
  size_t place = apart ? s->queries->count - ++s->after : s->count++;
  memcpy(s->words + place * width, hr_query(s->queries, q), width * sizeof *s->words);
  s->scanned[place] = collector;
}

/* Adds to all the work what was done for one query, whose radius counts if it was answered. */
static void add_work(hr_work *work, const hr_work *one, bool answered) {
  work->checked += one->checked;
  work->probed += one->probed;
  work->verified += one->verified;
  work->streamed += one->streamed;
  if (answered && one->radius < work->radius) work->radius = one->radius;
}

/* Whether the tables were abandoned. */
static hr_status probe(searching *s, size_t q, const hr_choice *choice, hr_collector *collector,
                       bool *abandoned) {
  const hr_target *t = s->target;
  hr_work work = {0};
  hr_queries query = hr_queries_part(s->queries, q, 1);
  query.work = &work;
  bool estimated = choice->way == HR_WAY_MODEL;
  /* Without a record the limit by the clock is a promise: such queries are put off in time. */
  double began = choice->timed || (s->costs && !s->record) ? hr_now_ns() : 0;
  hr_budget budget = {s->costs, choice->scan_ns, choice->endured, began, estimated, false};
  hr_status status = hr_probe(t->mih, &query, t->allow, s->costs ? &budget : NULL, collector);
  *abandoned = budget.abandoned;
  if (status) return status;
  add_work(s->queries->work, &work, !budget.abandoned);
  if (!choice->timed) return HR_OK;
  double ns = hr_now_ns() - began;
  hr_history_probed(s->record, choice, ns, budget.abandoned);
  if (choice->tried) s->spare -= ns - (budget.abandoned ? 0 : s->scan_ns);
  return HR_OK;
}

static hr_status answer(searching *s, size_t q, const hr_choice *choice, hr_collector *collector) {
  bool left = choice->way == HR_WAY_SCAN;
  hr_status status = left ? HR_OK : probe(s, q, choice, collector, &left);
  if (!status && left) leave_for_scan(s, q, choice->way != HR_WAY_SCAN, collector);
  return status;
}

static int by_limit(const void *left, const void *right) {
  uint32_t a = (*(hr_collector *const *)left)->limit, b = (*(hr_collector *const *)right)->limit;
  return a < b ? -1 : a > b;
}

/* Puts the queries that are scanned apart in the order of their limits: of a group the highest
 * decides how soon codes are left. */
static void sort_by_limit(const searching *s, const hr_collector *collectors) {
  size_t width = s->queries->width, first = s->queries->count - s->after;
  qsort(s->scanned + first, s->after, sizeof *s->scanned, by_limit);
  for (size_t i = first; i < s->queries->count; i++)
    memcpy(s->words + i * width, hr_query(s->queries, (size_t)(s->scanned[i] - collectors)),
           width * sizeof *s->words);
}

/* Scans those of the queries left from `first` on. */
static hr_status scan_those_left(const searching *s, size_t first, size_t count, bool after) {
  const hr_source *source = &s->target->source;
  hr_queries queries = *s->queries;
  queries.words = s->words + first * queries.width;
  queries.count = count;
  queries.work->checked += (uint64_t)count * (source->end - source->first) * HR_LANES;
  queries.work->scanned += count;
  double began = hr_now_ns();
  hr_status status = hr_scan(source, &queries, s->scanned + first);
  /* Of many queries few may be left: a scan that they hardly share tells nothing of others. */
  bool shared = count == s->queries->count || count >= HR_GROUP;
  if (status || !s->record || !s->timed || !shared) return status;
  double ns = (hr_now_ns() - began) / (double)count;
  hr_history_scanned(s->record, s->scan_ns, &(hr_scanned){ns, count >= HR_GROUP, after});
  return HR_OK;
}

/* Queries that go the same way: of long codes so many as are scanned together by strips. */
#define LONG_SECTION 16

static uint32_t section_of(const searching *s, bool together, size_t left) {
  uint32_t usual = scans_apart(s) ? LONG_SECTION : HR_SECTION;
  return hr_history_section(s->spare > 0 ? s->record : NULL, together, usual, left);
}

/* Whether to scan for the queries that are left so far before others choose: only so is it known
 * what a scan takes. */
static bool asks_scan(const searching *s) {
  return s->record && s->count >= HR_GROUP && hr_history_asks_scan(s->record, s->scan_ns);
}

static hr_status scan_some(searching *s) {
  hr_status status = scan_those_left(s, 0, s->count, false);
  s->count = 0;
  return status;
}

hr_status hr_planner_search(const hr_target *target, const hr_queries *queries,
                            hr_collector *collectors) {
  searching s;
  hr_status status = begin(&s, target, queries) ? HR_OK : HR_NO_MEMORY;
  bool together = queries->count >= HR_GROUP;
  for (size_t q = 0; !status && q < queries->count;) {
    uint32_t section = section_of(&s, together, queries->count - q);
    hr_choice choice = choose(&s, section);
    s.timed |= choice.timed;
    for (size_t end = q + section; !status && q < end; q++)
      status = answer(&s, q, &choice, &collectors[q]);
    if (!status && asks_scan(&s)) status = scan_some(&s);
  }
  if (!status && s.count) status = scan_those_left(&s, 0, s.count, false);
  if (!status && s.after) {
    sort_by_limit(&s, collectors);
    status = scan_those_left(&s, queries->count - s.after, s.after, true);
  }
  free(s.words);
  free(s.scanned);
  return status;
}
