/* Remembering what ways cost, and choosing one. */
#include "planner/history.h"

#include <math.h>

#include "base/compiler.h"

/* Queries that go by the model before what they took counts. The first of them finds nothing that
 * it needs in the cache. */
#define FIRST 3
/* A probe that goes on whatever is predicted may take as long as so many scans: what costs nearly
 * as much in the mean is dearer now and then. If the model gave up a query of those, the next one
 * goes on for as long as one scan, by which time it has ended if the model is mistaken. */
#define ENDURED 2
#define DOUBTED 1
/* So many queries on end, or a section, try another way: the first of them finds in the cache what
 * the usual one left there, and is not timed. */
#define RUN 4
/* A way that was timed at less than so many times the best costs little to try, and may be the
 * better one once its tables are in the cache: many queries on end show what it takes then. */
#define CLOSE 2
#define WARM 64
/* Trying takes about a fiftieth of all time; a way that seems as good as the best is tried as if
 * it took a quarter more. */
#define SHARE 50
#define LEAST_EXCESS 0.25
/* A way that was never taken is tried as if it took so many scans. */
#define UNKNOWN 1.5
/* Probes that seem dearer than a scan were perhaps the first to touch memory: until so many were
 * timed, trying one may take a sixteenth. */
#define SURE 8
#define UNSURE_SHARE 16
/* Such a run may take as long as so many scans. */
#define HOPED (HR_SECTION * (ENDURED + 1))
/* Reading the clock takes 25 ns, twice a query: after the first queries those of one section in so
 * many are timed, but all that take a hundred times as long, so that a mistake is soon noticed. */
#define SOON 64
#define TIMED 8
#define LONG_NS 5000
/* What scans take varies by chance: by interruptions, and by what is in the cache. A new figure
 * counts for at most twice or half of what is known. */
#define SCAN_MEMORY 4
#define SURPRISE 2
/* But what was predicted may be off by so much, where finding results takes longer than comparing:
 * a scan of many queries tells at once. That of one is mostly longer because it is the first. */
#define MISTAKEN 8
/* What probes take differs much from query to query, and their mean may lie in few that take fifty
 * times as long as others. None takes longer than so many scans but by interruption. */
#define PROBE_MEMORY 32
#define LONGEST 3

#if defined(_MSC_VER) && !defined(__clang__)
static float load(const float *from) { return *(const volatile float *)from; }
static void store(float *to, float value) { *(volatile float *)to = value; }
#else
static float load(const float *from) {
  float value;
  __atomic_load(from, &value, __ATOMIC_RELAXED);
  return value;
}
static void store(float *to, float value) { __atomic_store(to, &value, __ATOMIC_RELAXED); }
#endif

/* Returns what it was. Two at a time may add as one: what cannot be torn costs more than that. */
static uint32_t add(uint32_t *count, uint32_t more) {
  uint32_t before = HR_LOAD(count);
  HR_STORE(count, before + more);
  return before;
}

hr_record *hr_history_of(hr_history *history, const hr_asked *asked) {
  uint32_t number = 0;
  if (asked->k == SIZE_MAX) {
    uint32_t part = asked->radius * 64 / asked->bits; /* all above a half are alike */
    number = 32 + (part < 31 ? part : 31);
  } else {
    for (size_t k = asked->k; k >>= 1;) number++;
    if (number > 31) number = 31;
  }
  return &history->of[(number * 2 + asked->together) * HR_FILTERINGS + (uint32_t)asked->filtering];
}

static bool is_first(const hr_record *record) { return HR_LOAD(&record->asked) < FIRST; }

/* Whether the model may have given up too early, which no query has shown yet. */
static bool is_doubtful(const hr_record *record) {
  return !is_first(record) && !HR_LOAD(&record->tries) && load(&record->left[HR_WAY_MODEL]) > 0;
}

/* Whether a scan followed each query that went this way: one more shows whether it still does. What
 * was found while memory was busy with other things is so corrected soon. */
static bool is_hopeless(const hr_record *record, uint32_t way) {
  return load(&record->left[way]) >= 1;
}

static bool tries_one(const hr_record *record) {
  return is_doubtful(record) || HR_LOAD(&record->trying) == 1;
}

uint32_t hr_history_section(const hr_record *record, bool together, uint32_t usual, size_t left) {
  bool one = !together || (record && (tries_one(record) || is_first(record)));
  uint32_t section = one ? 1 : usual;
  return left < section ? (uint32_t)left : section;
}

static double scan_cost(const hr_record *record, double predicted) {
  float known = load(&record->ns[HR_WAY_SCAN]);
  return known > 0 ? known : predicted;
}

static double after_cost(const hr_record *record, double predicted) {
  float known = load(&record->after);
  return known > 0 ? known : scan_cost(record, predicted);
}

/* What each way takes in all; 0: not known. Returns the cheapest. */
static hr_way load_costs(const hr_record *record, double scan_ns, double *cost) {
  hr_way best = HR_WAY_SCAN;
  double after = after_cost(record, scan_ns);
  cost[HR_WAY_SCAN] = scan_cost(record, scan_ns);
  for (int way = 0; way < HR_WAYS; way++) {
    if (way == HR_WAY_SCAN) continue;
    double ns = load(&record->ns[way]);
    cost[way] = ns > 0 ? ns + load(&record->left[way]) * after : 0;
    if (cost[way] > 0 && cost[way] < cost[best]) best = (hr_way)way;
  }
  return best;
}

static double seeming_cost(const double *cost, uint32_t way) {
  return cost[way] > 0 ? cost[way] : UNKNOWN * cost[HR_WAY_SCAN];
}

/* Which of the two other ways to try: the one that seems cheaper, and one time in so many the other
 * one, which takes longer to save for. */
#define DEARER 3

static uint32_t other_way(const hr_record *record, hr_way best, const double *cost) {
  uint32_t one = (best + 1) % HR_WAYS, two = (best + 2) % HR_WAYS;
  bool dearer = HR_LOAD(&record->tries) % DEARER == DEARER - 1;
  return (seeming_cost(cost, one) <= seeming_cost(cost, two)) != dearer ? one : two;
}

/* Begins a run that tries another way once what was saved pays for it. */
static void save(hr_record *record, uint32_t queries, hr_way best, const double *cost) {
  uint32_t other = other_way(record, best, cost);
  double dear = seeming_cost(cost, other);
  bool unsure = best == HR_WAY_SCAN && HR_LOAD(&record->times[other]) < SURE;
  bool close = queries > 1 && cost[other] > 0 && cost[other] < CLOSE * cost[best];
  bool one = is_hopeless(record, other) || (unsure && !close);
  double run = one ? 1 : close && !unsure ? WARM : fmax(RUN, queries);
  double price = run * fmax(dear - cost[best], LEAST_EXCESS * cost[best]);
  double saved = load(&record->saved) + queries * cost[best] / (unsure ? UNSURE_SHARE : SHARE);
  if (saved >= price) {
    saved = 0;
    HR_STORE(&record->other, other);
    HR_STORE(&record->trying, (uint32_t)run);
    add(&record->tries, 1);
  }
  store(&record->saved, (float)saved);
}

/* A way that seemed hopeless was not: what it took is forgotten, and a run, which is to be saved
 * for afterwards, shows what it takes now. */
static void hope(hr_record *record, const hr_choice *choice) {
  HR_STORE(&record->times[choice->way], 0);
  HR_STORE(&record->other, (uint32_t)choice->way);
  HR_STORE(&record->trying, RUN);
  store(&record->saved, (float)(load(&record->saved) - HOPED * choice->scan_ns));
}

bool hr_history_asks_scan(const hr_record *record, double scan_ns) {
  if (HR_LOAD(&record->times[HR_WAY_SCAN])) return false;
  for (int way = 0; way < HR_WAYS; way++) {
    float ns = load(&record->ns[way]);
    if (ns > 0 && ns < MISTAKEN * scan_ns && load(&record->left[way]) < 1) return true;
  }
  return false;
}

/* Chooses another way than the cheapest where that is due. */
static void try_ways(hr_record *record, uint32_t queries, const double *cost, hr_choice *choice) {
  bool first = is_first(record), doubtful = is_doubtful(record);
  uint32_t asked = add(&record->asked, queries), trying = HR_LOAD(&record->trying);
  hr_way best = choice->way;
  choice->tried = first || doubtful || trying;
  if (first) {
    choice->way = HR_WAY_MODEL;
  } else if (doubtful) {
    add(&record->tries, 1);
    choice->way = HR_WAY_PROBE;
    choice->endured = DOUBTED;
  } else if (trying) {
    HR_STORE(&record->trying, trying > queries ? trying - queries : 0);
    choice->way = (hr_way)HR_LOAD(&record->other);
    choice->timed = queries > 1 || trying < RUN;
  } else {
    save(record, queries, best, cost);
    choice->timed = asked < SOON || cost[best] >= LONG_NS || asked / queries % TIMED == 0;
  }
}

hr_choice hr_history_choose(hr_record *record, uint32_t queries, double scan_ns, bool tries) {
  double cost[HR_WAYS];
  hr_way best = load_costs(record, scan_ns, cost);
  hr_choice choice = {best, true, false, cost[HR_WAY_SCAN], ENDURED};
  if (tries) try_ways(record, queries, cost, &choice);
  if (choice.way == HR_WAY_MODEL) choice.endured = 0;
  return choice;
}

/* Counts one more, up to what an average remembers: so no count ever begins anew. */
static uint32_t count_up(uint32_t *times, uint32_t memory) {
  uint32_t count = HR_LOAD(times);
  if (count < memory) HR_STORE(times, ++count);
  return count;
}

/* Moves an average of `times` figures, the new one among them, towards that. */
static void move(float *average, double found, uint32_t times) {
  float known = load(average);
  store(average, known + ((float)found - known) / (float)times);
}

void hr_history_probed(hr_record *record, const hr_choice *choice, double ns, bool left) {
  if (!left && is_hopeless(record, (uint32_t)choice->way)) hope(record, choice);
  uint32_t times = count_up(&record->times[choice->way], PROBE_MEMORY);
  move(&record->ns[choice->way], fmin(ns, LONGEST * choice->scan_ns), times);
  move(&record->left[choice->way], left, times);
}

/* Moves what a scan takes, which is known to be `known`, towards what was found. What was known at
 * first counts as one time. */
static void move_scan(float *average, uint32_t *times, double known, const hr_scanned *found) {
  double surprise = found->together && !HR_LOAD(times) ? MISTAKEN : SURPRISE;
  store(average, (float)known);
  uint32_t count = count_up(times, SCAN_MEMORY - 1) + 1;
  move(average, fmax(fmin(found->ns, known * surprise), known / surprise), count);
}

void hr_history_scanned(hr_record *record, double scan_ns, const hr_scanned *found) {
  if (found->after)
    move_scan(&record->after, &record->afters, after_cost(record, scan_ns), found);
  else
    move_scan(&record->ns[HR_WAY_SCAN], &record->times[HR_WAY_SCAN], scan_cost(record, scan_ns),
              found);
}
