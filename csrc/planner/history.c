/* Remembering and choosing. */
#include "planner/history.h"

#include <math.h>

#include "kernels/kernels.h"

/* Queries that go as planned before anything else is tried; then, if plans mostly ended in scans,
 * as many that walk on; then some that are scanned, unless that is foreseen to be hopeless. */
#define FIRST 3
#define SCANS 2
/* Afterwards so many queries on end, out of so many, try another way; the more seldom, the more
 * that costs, so that trying takes about a fiftieth of all time. The first of them finds nothing
 * of what it needs in the cache, and tells little of what the way would take by habit. A walk
 * among a million random codes takes 130 us after scans, 110 after 64 others and 80 after six
 * hundred, a scan 87 (python -m benchmarks.warming); trying so many costs more than it wins. */
#define RUN 4
#define EXPLORED_BITS 8
#define EXPLORED (1u << EXPLORED_BITS)
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
/* What walks take differs much from query to query, and their mean may lie in few that take fifty
 * times as long as others. None takes longer than so many scans but by interruption. */
#define WALK_MEMORY 64
#define LONGEST 3
/* A walk that takes less than one part in so many of a scan tells little about the pace of others:
 * its beginning weighs more. */
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

uint32_t hr_query_class(size_t k, uint32_t radius, uint32_t bits, bool together, bool filtered) {
  uint32_t number = 0;
  if (k == SIZE_MAX) {
    uint32_t part = radius * 64 / bits; /* all above a half are alike */
    number = 32 + (part < 31 ? part : 31);
  } else {
    while (k >>= 1) number++;
    if (number > 31) number = 31;
  }
  return number * 4 + (together ? 2 : 0) + filtered;
}

static double known_or(const float *from, double otherwise) {
  double known = load(from);
  return known > 0 ? known : otherwise;
}

/* What each way takes in all; 0: not known. What the scan after a walk takes. */
static double load_costs(const hr_history *habits, uint32_t asked_for, double scan_ns,
                         double *cost) {
  const hr_record *of = habits->of[asked_for];
  cost[HR_WAY_SCAN] = known_or(&of[HR_WAY_SCAN].ns, scan_ns);
  double after = known_or(&habits->scan[asked_for], cost[HR_WAY_SCAN]);
  for (int way = 0; way < HR_WAYS; way++)
    if (way != HR_WAY_SCAN) cost[way] = load(&of[way].ns) + load(&of[way].left) * after;
  return after;
}

/* How often it has been time to try another way. */
static uint32_t round_of(uint32_t turn) {
  uint32_t round = turn / EXPLORED;
  if (round) return round + EXPLORED_BITS - SOON_BITS;
  while (turn >= SOON) {
    turn /= 2;
    round++;
  }
  return round;
}

/* Since it last was; below RUN another way is tried. */
static uint32_t place_in_run(uint32_t turn) {
  uint32_t begin = SOON;
  if (turn >= EXPLORED) return turn % EXPLORED;
  while (2 * begin <= turn) begin *= 2;
  return turn - begin;
}

/* Whether this is the turn for a way that takes so much longer than the best one. */
static bool worth_trying(uint32_t turn, double excess) {
  uint32_t round = round_of(turn);
  if (!round || place_in_run(turn) >= RUN) return false;
  uint32_t seldom = excess > 1 ? (uint32_t)fmin(2 * excess, UINT16_MAX) : 1;
  return (round / (HR_WAYS - 1) + 1) % seldom == 0;
}

static hr_way cheapest(const double *cost) {
  hr_way best = HR_WAY_MODEL;
  if (cost[HR_WAY_SCAN] < cost[best]) best = HR_WAY_SCAN;
  if (cost[HR_WAY_PROBE] > 0 && cost[HR_WAY_PROBE] < cost[best]) best = HR_WAY_PROBE;
  return best;
}

hr_choice hr_history_choose(hr_history *habits, uint32_t asked_for, double scan_ns) {
  uint32_t turn = count_one(&habits->asked[asked_for]);
  double cost[HR_WAYS], after = load_costs(habits, asked_for, scan_ns, cost);
  hr_choice choice = {HR_WAY_MODEL, true, after / known_or(&habits->pace[asked_for], 1)};
  if (turn < FIRST) return choice;
  hr_way best = cheapest(cost),
         other = (hr_way)((best + 1 + round_of(turn) % (HR_WAYS - 1)) % HR_WAYS);
  double excess = cost[other] / cost[best] - 1;
  choice.way = best;
  if (turn < 2 * FIRST) {
    if (load(&habits->of[asked_for][HR_WAY_MODEL].left) > 0.5F) choice.way = HR_WAY_PROBE;
  } else if (turn < 2 * FIRST + SCANS) {
    if (cost[HR_WAY_SCAN] <= 2 * cost[best]) choice.way = HR_WAY_SCAN;
  } else if (worth_trying(turn, excess)) {
    choice.way = other;
    choice.timed = place_in_run(turn) != 0;
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

void hr_history_record(hr_history *habits, uint32_t asked_for, hr_way way, double ns, bool left,
                       double scan_ns) {
  hr_record *habit = &habits->of[asked_for][way];
  uint32_t times = count_one(&habit->times) + 1;
  float known = load(&habit->ns), share = left ? 1 : 0, before = load(&habit->left);
  bool first = times == 1 || !(known > 0);
  if (way == HR_WAY_SCAN) {
    store(&habit->ns, first ? (float)ns : moved_by_scan(known, (float)ns, times));
    return;
  }
  double cost[HR_WAYS], longest = LONGEST * load_costs(habits, asked_for, scan_ns, cost);
  float found = (float)fmin(ns, longest);
  store(&habit->ns, first ? found : moved(known, found, times, WALK_MEMORY));
  store(&habit->left, first ? share : moved(before, share, times, WALK_MEMORY));
}

void hr_history_record_scan(hr_history *habits, uint32_t asked_for, double ns) {
  float known = load(&habits->scan[asked_for]), found = (float)ns;
  store(&habits->scan[asked_for], known > 0 ? moved_by_scan(known, found, MEMORY) : found);
}

void hr_history_record_correction(hr_history *habits, uint32_t asked_for, double ns,
                                  double foreseen, double scan_ns) {
  double known = known_or(&habits->pace[asked_for], 1),
         weight = fmin(TELLING * foreseen / scan_ns, 1);
  if (!(weight > 0)) return;
  double found = fmax(fmin(ns / foreseen, known * SURPRISE), known / SURPRISE);
  double pace = known + (found - known) * weight / MEMORY;
  store(&habits->pace[asked_for], (float)fmax(fmin(pace, SURPRISE), 1.0 / SURPRISE));
}
