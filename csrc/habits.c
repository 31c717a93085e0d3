/* Remembering and choosing. */
#include "habits.h"

/* Queries that go as planned before anything else is tried; then, if plans mostly ended in scans,
 * as many that walk on; then some that are scanned, unless that is foreseen to be hopeless. */
#define FIRST 3
#define SCANS 2
/* Afterwards one query in so many tries another way; a hopeless one is tried HOPELESS times more
 * seldom. */
#define EXPLORED 32
#define HOPELESS 8
#define HOPELESS_SHARE 3
/* In steady state one query in so many is timed: reading the clock takes 25 ns. */
#define TIMED 4
/* A new figure moves the average by an eighth at last, and counts for at most twice or half of
 * it: a query that was interrupted tells nothing. */
#define MEMORY 8
#define SURPRISE 2

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

uint32_t hr_asked_for(size_t k, uint32_t radius, uint32_t bits, bool together, bool filtered) {
  uint32_t number = 0;
  if (k == SIZE_MAX) {
    uint32_t part = radius * 64 / bits; /* all above a half are alike */
    number = 32 + (part < 31 ? part : 31);
  } else {
    while (k >>= 1) number++;
    if (number > 31) number = 31;
  }
  return number * 4 + 2 * together + filtered;
}

/* What each way takes in all; 0: not known. */
static void load_costs(const hr_habits *habits, uint32_t asked_for, double scan_ns, double *cost) {
  const hr_habit *of = habits->of[asked_for];
  cost[HR_SCAN_ONLY] = load(&of[HR_SCAN_ONLY].ns);
  if (!(cost[HR_SCAN_ONLY] > 0)) cost[HR_SCAN_ONLY] = scan_ns;
  for (int way = 0; way < HR_WAYS; way++)
    if (way != HR_SCAN_ONLY)
      cost[way] = load(&of[way].ns) + load(&of[way].left) * cost[HR_SCAN_ONLY];
}

/* The way to try instead of the best one, or that. */
static hr_way explore(uint32_t turn, const double *cost, hr_way best, bool walks_on) {
  hr_way other = best;
  uint32_t round = turn / EXPLORED;
  if (turn < 2 * FIRST)
    other = walks_on ? HR_WALK_ON : best;
  else if (turn < 2 * FIRST + SCANS)
    other = HR_SCAN_ONLY;
  else if (turn % EXPLORED == 0)
    other = (hr_way)((best + 1 + round % (HR_WAYS - 1)) % HR_WAYS);
  bool hopeless = cost[other] > HOPELESS_SHARE * cost[best];
  return hopeless && round % (2 * HOPELESS) < 2 * HOPELESS - 2 ? best : other;
}

hr_way hr_habits_choose(hr_habits *habits, uint32_t asked_for, double scan_ns, bool *timed) {
  uint32_t turn = count_one(&habits->asked[asked_for]);
  *timed = true;
  if (turn < FIRST) return HR_AS_PLANNED;
  double cost[HR_WAYS];
  load_costs(habits, asked_for, scan_ns, cost);
  hr_way best = HR_AS_PLANNED;
  if (cost[HR_SCAN_ONLY] < cost[best]) best = HR_SCAN_ONLY;
  if (cost[HR_WALK_ON] > 0 && cost[HR_WALK_ON] < cost[best]) best = HR_WALK_ON;
  *timed = turn % TIMED == 0 || turn < EXPLORED;
  bool walks_on = load(&habits->of[asked_for][HR_AS_PLANNED].left) > 0.5F;
  hr_way way = explore(turn, cost, best, walks_on);
  if (way != best) *timed = true;
  return way;
}

void hr_habits_record(hr_habits *habits, uint32_t asked_for, hr_way way, double ns, bool left) {
  hr_habit *habit = &habits->of[asked_for][way];
  float known = load(&habit->ns), found = (float)ns, share = left ? 1 : 0;
  uint32_t times = count_one(&habit->times);
  if (times && known > 0) {
    float before = load(&habit->left), weight = 1.0F / (times + 1 < MEMORY ? times + 1 : MEMORY);
    if (found > known * SURPRISE) found = known * SURPRISE;
    if (found < known / SURPRISE) found = known / SURPRISE;
    found = known + (found - known) * weight;
    share = before + (share - before) * weight;
  }
  store(&habit->ns, found);
  store(&habit->left, share);
}
