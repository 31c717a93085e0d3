/* Deciding which way each query goes, and going it. */
#include "planner/planner.h"

#include "base/clock.h"
#include "base/memory.h"
#include "mih/probe.h"

/* What would be scanned otherwise, or probed on a thread that can be stopped, is put off when it
 * has taken about twice as long, if it may be put off. */
#define HERE_NS 2e6

/* A search under way. */
typedef struct {
  const hr_target *target;
  const hr_queries *queries;
  hr_history *history;     /* NULL: nothing to choose */
  const hr_costs *costs;   /* by which tables are abandoned; NULL: they never are */
  uint32_t query_class;    /* of the history */
  double scan_ns;          /* of a query, as the model predicts */
  uint64_t *words;         /* the queries that are left for a scan, side by side */
  hr_collector **scanned;  /* and their collectors */
  size_t count, abandoned; /* how many they are; how many of these were probed in vain before */
} searching;

static bool has_choice(const hr_target *t) {
  hr_policy policy = t->planner->policy;
  return t->mih && !t->scan && !t->probe && policy != HR_POLICY_SCAN && policy != HR_POLICY_PROBE;
}

static bool begin(searching *s, const hr_target *t, const hr_queries *queries) {
  const hr_costs *costs = &t->planner->costs;
  bool together = queries->count >= HR_GROUP;
  *s = (searching){.target = t, .queries = queries, .scan_ns = HERE_NS};
  s->words = hr_alloc(queries->count * queries->width, sizeof *s->words);
  s->scanned = hr_alloc(queries->count, sizeof *s->scanned);
  if (t->probe && t->deferred) s->costs = hr_costs_typical();
  if (!has_choice(t)) return s->words && s->scanned;
  hr_asked asked = {queries->k, queries->radius, t->postings->rows.bits, together,
                    t->source.allow != NULL};
  s->costs = costs;
  s->history = &t->planner->history;
  s->query_class = hr_query_class(&asked);
  s->scan_ns =
      (double)hr_block_count(t->postings->entries) * (together ? costs->grouped : costs->block);
  if (queries->k != SIZE_MAX) s->scan_ns += costs->narrow;
  return s->words && s->scanned;
}

static hr_choice choose(const searching *s) {
  const hr_target *t = s->target;
  hr_policy policy = t->planner->policy;
  bool scan = !t->mih || t->scan || (policy == HR_POLICY_SCAN && !t->probe);
  if (!s->history) return (hr_choice){scan ? HR_WAY_SCAN : HR_WAY_PROBE, false, s->scan_ns};
  if (policy == HR_POLICY_MODEL) return (hr_choice){HR_WAY_MODEL, false, s->scan_ns};
  if (policy == HR_POLICY_CORRECTED)
    return (hr_choice){HR_WAY_MODEL, true,
                       hr_history_corrected(s->history, s->query_class, s->scan_ns)};
  return hr_history_choose(s->history, s->query_class, s->scan_ns, policy == HR_POLICY_TWO_WAYS);
}

static void leave_for_scan(searching *s, size_t q, hr_collector *collector) {
  size_t width = s->queries->width;
  if (s->target->deferred) {
    s->target->deferred[q] = 1;
    return;
  }
  hr_collector_restart(collector, hr_source_unit(&s->target->source));
  memcpy(s->words + s->count * width, hr_query(s->queries, q), width * sizeof *s->words);
  s->scanned[s->count++] = collector;
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
static hr_status probe(const searching *s, size_t q, const hr_choice *choice,
                       hr_collector *collector, bool *abandoned) {
  const hr_target *t = s->target;
  hr_work work = {0};
  hr_queries query = hr_queries_part(s->queries, q, 1);
  query.work = &work;
  hr_budget budget = {s->costs, choice->scan_ns, choice->way == HR_WAY_MODEL, false};
  double began = choice->timed ? hr_now_ns() : 0;
  hr_status status =
      hr_probe(t->mih, &query, t->source.allow, s->costs ? &budget : NULL, collector);
  *abandoned = budget.abandoned;
  if (status) return status;
  add_work(s->queries->work, &work, !budget.abandoned);
  if (!choice->timed) return HR_OK;
  hr_outcome outcome = {choice->way, hr_now_ns() - began, budget.abandoned, s->scan_ns,
                        hr_costs_of(s->costs, &work)};
  hr_history_record(s->history, s->query_class, &outcome);
  return HR_OK;
}

static hr_status answer(searching *s, size_t q, const hr_choice *choice, hr_collector *collector) {
  bool left = choice->way == HR_WAY_SCAN;
  if (!left) {
    hr_status status = probe(s, q, choice, collector, &left);
    if (status) return status;
    s->abandoned += left;
  }
  if (left) leave_for_scan(s, q, collector);
  return HR_OK;
}

/* What is left after tables were abandoned may be too few queries for a scan to be shared. */
static void record_scan(const searching *s, double ns) {
  if (s->abandoned > s->count / 2)
    hr_history_record_scan(s->history, s->query_class, ns);
  else if (s->count == s->queries->count || s->count >= HR_GROUP)
    hr_history_record(s->history, s->query_class,
                      &(hr_outcome){.way = HR_WAY_SCAN, .ns = ns, .scan_ns = s->scan_ns});
}

static hr_status scan_those_left(const searching *s) {
  const hr_source *source = &s->target->source;
  hr_queries queries = *s->queries;
  queries.words = s->words;
  queries.count = s->count;
  queries.work->checked += (uint64_t)s->count * (source->end - source->first) * HR_LANES;
  queries.work->scanned += s->count;
  double began = hr_now_ns();
  hr_status status = hr_scan(source, &queries, s->scanned);
  if (!status && s->history) record_scan(s, (hr_now_ns() - began) / (double)s->count);
  return status;
}

hr_status hr_planner_search(const hr_target *target, const hr_queries *queries,
                            hr_collector *collectors) {
  searching s;
  hr_status status = begin(&s, target, queries) ? HR_OK : HR_NO_MEMORY;
  size_t section = queries->count >= HR_GROUP ? HR_SECTION : 1;
  for (size_t from = 0; !status && from < queries->count; from += section) {
    size_t end = from + section < queries->count ? from + section : queries->count;
    hr_choice choice = choose(&s);
    for (size_t q = from; !status && q < end; q++) status = answer(&s, q, &choice, &collectors[q]);
  }
  if (!status && s.count) status = scan_those_left(&s);
  free(s.words);
  free(s.scanned);
  return status;
}
