/* Plays queries of known cost to the planner's memory: which ways does it go? */
#include "planner/history.h"

#include <stdio.h>

enum { ASKED = 40, TOGETHER = 42, EARLY = 200, LATE = 2000 };

typedef struct {
  double planned, planned_left; /* what a walk as planned takes, and how often a scan follows */
  double walk_on;
  double scan;
} world;

static int failures;

static void expect(int holds, const char *what) {
  if (holds) return;
  printf("not so: %s\n", what);
  failures++;
}

/* Answers `queries` queries in this world; counts the ways they went. */
static void play(hr_history *history, uint32_t query_class, const world *is, int queries,
                 int *ways) {
  for (int way = 0; way < HR_WAYS; way++) ways[way] = 0;
  double owed = 0; /* a share of a query that is left for a scan */
  for (int q = 0; q < queries; q++) {
    hr_choice choice = hr_history_choose(history, query_class, is->scan, false);
    ways[choice.way]++;
    bool left = false;
    if (choice.way == HR_WAY_MODEL) {
      owed += is->planned_left;
      left = owed >= 1;
      owed -= left;
    }
    double ns = choice.way == HR_WAY_MODEL ? is->planned : is->walk_on;
    if (choice.way == HR_WAY_SCAN)
      hr_history_record(history, query_class,
                        &(hr_outcome){HR_WAY_SCAN, is->scan, false, is->scan, 0});
    else if (choice.timed)
      hr_history_record(history, query_class, &(hr_outcome){choice.way, ns, left, is->scan, 0});
    if (left) hr_history_record_scan(history, query_class, is->scan);
  }
}

/* In the long run nearly all queries go this way. */
static void expect_way(const world *is, uint32_t query_class, hr_way way, const char *what) {
  hr_history history = {0};
  int ways[HR_WAYS];
  play(&history, query_class, is, EARLY, ways);
  play(&history, query_class, is, LATE, ways);
  expect(ways[way] > LATE * 9 / 10, what);
}

static void test_the_cheapest_way_is_taken(void) {
  for (uint32_t query_class = ASKED; query_class <= TOGETHER; query_class += 2) {
    expect_way(&(world){10, 0, 10, 100}, query_class, HR_WAY_MODEL, "walks that end are kept");
    expect_way(&(world){30, 1, 300, 100}, query_class, HR_WAY_SCAN,
               "walks that all end in scans are not begun");
    expect_way(&(world){30, 1, 60, 100}, query_class, HR_WAY_PROBE,
               "walks that were given up too early go on");
    expect_way(&(world){30, 0.2, 300, 100}, query_class, HR_WAY_MODEL,
               "a scan now and then is no reason to scan always");
  }
}

static void test_other_kinds_of_queries_are_not_touched(void) {
  hr_history history = {0};
  int ways[HR_WAYS];
  play(&history, ASKED, &(world){30, 1, 300, 100}, EARLY, ways);
  play(&history, ASKED + 4, &(world){10, 0, 10, 100}, 10, ways);
  expect(ways[HR_WAY_MODEL] >= 8, "what was asked for before says nothing here");
}

static void test_an_interrupted_query_tells_nothing(void) {
  hr_history history = {0};
  const world is = {40, 0, 200, 100};
  int ways[HR_WAYS];
  play(&history, ASKED, &is, EARLY, ways);
  hr_history_record(&history, ASKED, &(hr_outcome){HR_WAY_MODEL, 1e9, false, is.scan, 0});
  play(&history, ASKED, &is, EARLY, ways);
  expect(ways[HR_WAY_MODEL] > EARLY * 9 / 10, "one slow query changes little");
}

static void test_what_changes_is_noticed(void) {
  hr_history history = {0};
  int ways[HR_WAYS];
  play(&history, ASKED, &(world){80, 0, 80, 100}, LATE, ways);
  play(&history, ASKED, &(world){300, 0, 300, 100}, LATE, ways);
  play(&history, ASKED, &(world){300, 0, 300, 100}, LATE, ways);
  expect(ways[HR_WAY_SCAN] > LATE * 8 / 10, "walks that became dear are left");
  play(&history, ASKED, &(world){50, 0, 50, 100}, 5 * LATE, ways);
  play(&history, ASKED, &(world){50, 0, 50, 100}, LATE, ways);
  expect(ways[HR_WAY_SCAN] < LATE * 2 / 10, "walks that became cheap are taken again");
}

static void test_trying_is_cheap(void) {
  hr_history history = {0};
  const world is = {1, 0, 1, 1000};
  int ways[HR_WAYS];
  play(&history, ASKED, &is, EARLY, ways);
  play(&history, ASKED, &is, 1000 * LATE, ways);
  double best = 1000.0 * LATE * is.planned, rest = ways[HR_WAY_SCAN] * is.scan;
  expect(ways[HR_WAY_SCAN] > 0, "the other way is tried again");
  expect(rest < best / 20, "trying takes a small share of all time");
}

/* Of the walks one in `seldom` takes `dear`, the others `cheap`, by a generator of Lehmer's; a scan
 * takes 30. Returns the share of walks in percent. */
static int walks_of(uint32_t seldom, double dear, double cheap) {
  hr_history history = {0};
  uint32_t state = 1;
  int walks = 0;
  for (int q = 0; q < 5 * LATE; q++) {
    state = (uint32_t)((uint64_t)state * 48271 % 2147483647);
    hr_choice choice = hr_history_choose(&history, ASKED, 30, false);
    double ns = state / 1024 % seldom ? cheap : dear;
    if (choice.way == HR_WAY_SCAN)
      hr_history_record(&history, ASKED, &(hr_outcome){HR_WAY_SCAN, 30, false, 30, 0});
    else if (choice.timed)
      hr_history_record(&history, ASKED, &(hr_outcome){choice.way, ns, false, 30, 0});
    walks += choice.way != HR_WAY_SCAN;
  }
  return walks * 20 / LATE;
}

static void test_the_mean_of_costs_that_vary_decides(void) {
  expect(walks_of(2, 36, 12) > 90, "some dear walks are no reason to scan");
  expect(walks_of(16, 80, 1) > 90, "nor are very dear ones, if they are few");
  expect(walks_of(4, 80, 20) < 10, "that most walks are cheap does not make up for the dear ones");
}

static void test_all_but_the_first_of_a_run_that_tries_is_timed(void) {
  hr_history history = {0};
  int tries = 0, cold = 0, runs = 0;
  for (int turn = 0; turn < LATE; turn++) {
    hr_choice choice = hr_history_choose(&history, TOGETHER, 30, false);
    for (int q = 0; q < HR_SECTION; q++) {
      if (choice.way == HR_WAY_SCAN)
        hr_history_record(&history, TOGETHER, &(hr_outcome){HR_WAY_SCAN, 30, false, 30, 0});
      else if (choice.timed)
        hr_history_record(&history, TOGETHER, &(hr_outcome){choice.way, 20, false, 30, 0});
    }
    bool other = choice.way == HR_WAY_SCAN && turn > EARLY;
    tries = other ? tries + 1 : 0;
    if (tries == 1) cold += choice.timed;
    if (tries == 2) cold += !choice.timed;
    runs += tries == 2;
  }
  expect(runs > 2, "another way is tried in runs");
  expect(!cold, "of a run that tries another way all but the first are timed");
}

/* Of LATE turns by habit, those that are timed, where each query takes `ns`. */
static int timed_of(double ns) {
  hr_history history = {0};
  const world is = {ns, 0, 2 * ns, 2 * ns};
  int ways[HR_WAYS], timed = 0;
  play(&history, ASKED, &is, EARLY, ways);
  for (int q = 0; q < LATE; q++) timed += hr_history_choose(&history, ASKED, is.scan, false).timed;
  return timed;
}

static void test_reading_the_clock_is_cheap(void) {
  expect(timed_of(500) < LATE / 6, "few of short queries are timed");
  expect(timed_of(50000) > LATE * 9 / 10, "nearly all long ones are");
}

int main(void) {
  test_the_cheapest_way_is_taken();
  test_other_kinds_of_queries_are_not_touched();
  test_an_interrupted_query_tells_nothing();
  test_what_changes_is_noticed();
  test_trying_is_cheap();
  test_the_mean_of_costs_that_vary_decides();
  test_all_but_the_first_of_a_run_that_tries_is_timed();
  test_reading_the_clock_is_cheap();
  return failures != 0;
}
