/* Remembering what ways cost, and choosing one. */
#include "planner/history.h"

#include <math.h>

#include "kernels/kernels.h"

/* Queries that go by the model before anything else is tried; then, if most ended in scans, as many
 * that probe on; then some that are scanned, unless that is predicted to be hopeless. */
#define FIRST 3
#define SCANS 2
/* Afterwards so many queries on end, out of so many, try another way; the more seldom, the more
 * that costs, so that trying takes about a fiftieth of all time. The first of them finds nothing
 * of what it needs in the cache, and tells little of what the way would take if it were the usual
 * one. A probe among a million random codes takes 130 us after scans, 110 after 64 others and 80
 * after six hundred, a scan 87 (python -m benchmarks.warming); trying so many costs more than it
 * wins. */
#define RUN 4
#define PERIOD_BITS 8
#define PERIOD (1u << PERIOD_BITS)
/* The first times sooner: at this turn, and whenever there have been twice as many. */
#define SOON_BITS 4
#define SOON (1u << SOON_BITS)
/* In steady state one turn in so many is timed, for reading the clock takes 25 ns, twice a query;
 * but each of those that take a hundred times as long, so that a mistake is soon noticed. */
#define TIMED 8
#define LONG_NS 5000
/* A new figure of scans moves the average by an eighth at last, and counts for at most twice or
 * half of it: a scan that was interrupted tells nothing. */
#define MEMORY 8
#define SURPRISE 2
/* What probes take differs much from query to query, and their mean may lie in few that take fifty
 * times as long as others. None takes longer than so many scans but by interruption. */
#define PROBE_MEMORY 64
#define LONGEST 3
/* A probe that takes less than one part in so many of a scan tells little about the correction of
 * others: its beginning weighs more. */
#define TELLING 4

static float load(const float *from) {
#if defined(_MSC_VER) && !defined(__clang__)
  return *(const volatile float *)from;
#else
  float value;
  __atomic_load(from, &value, __ATOMIC_RELAXED);
  return value;
#endif
}

static void store(float *to, float value) {
#if defined(_MSC_VER) && !defined(__clang__)
  *(volatile float *)to = value;
#else
  __atomic_store(to, &value, __ATOMIC_RELAXED);
#endif
}

/* Two at a time may take the same number: an addition that cannot be torn costs more than that. */
static uint32_t count_one(uint32_t *counter) {
#if defined(_MSC_VER) && !defined(__clang__)
  return (*(volatile uint32_t *)counter)++;
#else
  uint32_t number = __atomic_load_n(counter, __ATOMIC_RELAXED);
  __atomic_store_n(counter, number + 1, __ATOMIC_RELAXED);
  return number;
#endif
}

uint32_t hr_query_class(const hr_asked *asked) {
  uint32_t number = 0;
  if (asked->k == SIZE_MAX) {
    uint32_t part = asked->radius * 64 / asked->bits; /* all above a half are alike */
    number = 32 + (part < 31 ? part : 31);
  } else {
    for (size_t k = asked->k; k >>= 1;) number++;
    if (number > 31) number = 31;
  }
  return number * 4 + (asked->together ? 2 : 0) + asked->filtered;
}

static double known_or(const float *from, double otherwise) {
  double known = load(from);
  return known > 0 ? known : otherwise;
}

/* What each way takes in all; 0: not known. Returns what the scan after a probe takes. */
static double load_costs(const hr_history *history, uint32_t query_class, double scan_ns,
                         double *cost) {
  const hr_record *of = history->of[query_class];
  cost[HR_WAY_SCAN] = known_or(&of[HR_WAY_SCAN].ns, scan_ns);
  double after = known_or(&history->scan[query_class], cost[HR_WAY_SCAN]);
  for (int way = 0; way < HR_WAYS; way++)
    if (way != HR_WAY_SCAN) cost[way] = load(&of[way].ns) + load(&of[way].left) * after;
  return after;
}

double hr_history_corrected(const hr_history *history, uint32_t query_class, double scan_ns) {
  double cost[HR_WAYS], after = load_costs(history, query_class, scan_ns, cost);
  return after / known_or(&history->correction[query_class], 1);
}

/* How often it has been time to try another way. */
static uint32_t round_of(uint32_t turn) {
  uint32_t round = turn / PERIOD;
  if (round) return round + PERIOD_BITS - SOON_BITS;
  while (turn >= SOON) {
    turn /= 2;
    round++;
  }
  return round;
}

/* Since it last was; below RUN another way is tried. */
static uint32_t turn_in_run(uint32_t turn) {
  uint32_t begin = SOON;
  if (turn >= PERIOD) return turn % PERIOD;
  while (2 * begin <= turn) begin *= 2;
  return turn - begin;
}

/* Whether this is the turn for a way that takes so much longer than the best one. */
static bool worth_trying(uint32_t turn, double excess) {
  uint32_t round = round_of(turn);
  if (!round || turn_in_run(turn) >= RUN) return false;
  uint32_t seldom = excess > 1 ? (uint32_t)fmin(2 * excess, UINT16_MAX) : 1;
  return (round / (HR_WAYS - 1) + 1) % seldom == 0;
}

static hr_way cheapest(const double *cost) {
  hr_way best = HR_WAY_MODEL;
  if (cost[HR_WAY_SCAN] < cost[best]) best = HR_WAY_SCAN;
  if (cost[HR_WAY_PROBE] > 0 && cost[HR_WAY_PROBE] < cost[best]) best = HR_WAY_PROBE;
  return best;
}

hr_choice hr_history_choose(hr_history *history, uint32_t query_class, double scan_ns, bool two) {
  uint32_t turn = count_one(&history->asked[query_class]);
  double cost[HR_WAYS], after = load_costs(history, query_class, scan_ns, cost);
  hr_choice choice = {HR_WAY_MODEL, true, after / known_or(&history->correction[query_class], 1)};
  if (turn < FIRST) return choice;
  if (two) cost[HR_WAY_PROBE] = 0;
  hr_way best = cheapest(cost),
         other = (hr_way)((best + 1 + round_of(turn) % (HR_WAYS - 1)) % HR_WAYS);
  if (two) other = best == HR_WAY_MODEL ? HR_WAY_SCAN : HR_WAY_MODEL;
  double excess = cost[other] / cost[best] - 1;
  choice.way = best;
  if (turn < 2 * FIRST) {
    if (!two && load(&history->of[query_class][HR_WAY_MODEL].left) > 0.5F)
      choice.way = HR_WAY_PROBE;
  } else if (turn < 2 * FIRST + SCANS) {
    if (cost[HR_WAY_SCAN] <= 2 * cost[best]) choice.way = HR_WAY_SCAN;
  } else if (worth_trying(turn, excess)) {
    choice.way = other;
    choice.timed = turn_in_run(turn) != 0;
  } else if (turn >= SOON) {
    choice.timed = cost[best] >= LONG_NS || turn % TIMED == 0;
  }
  return choice;
}

/* The average, moved towards what was found. */
static float moved(float known, float found, uint32_t times, uint32_t memory) {
  return known + (found - known) / (times < memory ? times : memory);
}

static float moved_by_scan(float known, float found, uint32_t times) {
  if (found > known * SURPRISE) found = known * SURPRISE;
  if (found < known / SURPRISE) found = known / SURPRISE;
  return moved(known, found, times, MEMORY);
}

static void record_scan(hr_record *record, double ns) {
  uint32_t times = count_one(&record->times) + 1;
  float known = load(&record->ns);
  bool first = times == 1 || !(known > 0);
  store(&record->ns, first ? (float)ns : moved_by_scan(known, (float)ns, times));
}

static void record_correction(hr_history *history, uint32_t query_class, const hr_outcome *o) {
  double known = known_or(&history->correction[query_class], 1),
         weight = fmin(TELLING * o->predicted / o->scan_ns, 1);
  if (!(weight > 0)) return;
  double found = fmax(fmin(o->ns / o->predicted, known * SURPRISE), known / SURPRISE);
  double correction = known + (found - known) * weight / MEMORY;
  store(&history->correction[query_class], (float)fmax(fmin(correction, SURPRISE), 1.0 / SURPRISE));
}

void hr_history_record(hr_history *history, uint32_t query_class, const hr_outcome *o) {
  hr_record *record = &history->of[query_class][o->way];
  if (o->way == HR_WAY_SCAN) {
    record_scan(record, o->ns);
    return;
  }
  uint32_t times = count_one(&record->times) + 1;
  float known = load(&record->ns), before = load(&record->left), share = o->left ? 1 : 0;
  bool first = times == 1 || !(known > 0);
  double cost[HR_WAYS], after = load_costs(history, query_class, o->scan_ns, cost);
  float found = (float)fmin(o->ns, LONGEST * after);
  store(&record->ns, first ? found : moved(known, found, times, PROBE_MEMORY));
  store(&record->left, first ? share : moved(before, share, times, PROBE_MEMORY));
  record_correction(history, query_class, o);
}

void hr_history_record_scan(hr_history *history, uint32_t query_class, double ns) {
  float known = load(&history->scan[query_class]), found = (float)ns;
  store(&history->scan[query_class], known > 0 ? moved_by_scan(known, found, MEMORY) : found);
}
