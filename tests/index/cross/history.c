/* Plays queries of known cost to the planner's history: which ways does it go? */
#include "planner/history.h"

#include <stdio.h>

enum { EARLY = 200, LATE = 2000 };

typedef struct {
  double model, left; /* what a probe by the model takes, and how often a scan follows */
  double probe;       /* what a probe that goes on takes */
  double scan;
  double after; /* a scan that follows a probe; 0: takes as long as any */
} world;

static bool stuck; /* whether a scan follows probes that go on, too */

static int failures;

static void expect(int holds, const char *what) {
  if (holds) return;
  printf("not so: %s\n", what);
  failures++;
}

static hr_choice choose(hr_record *record, uint32_t queries, double scan_ns) {
  return hr_history_choose(record, queries, scan_ns, true);
}

static void scanned(hr_record *record, double scan_ns, double ns) {
  hr_history_scanned(record, scan_ns, &(hr_scanned){ns, false, false});
}

/* Answers so many queries together, as the planner does; counts the ways they go. */
static void ask(hr_record *record, const world *is, uint32_t queries, double *owed, int *ways) {
  hr_choice choice = choose(record, queries, is->scan);
  bool scans = choice.way == HR_WAY_SCAN, followed = false;
  ways[choice.way] += (int)queries;
  for (uint32_t q = 0; q < queries && choice.way != HR_WAY_SCAN; q++) {
    bool left = stuck && choice.way == HR_WAY_PROBE;
    if (choice.way == HR_WAY_MODEL) {
      *owed += is->left;
      left = *owed >= 1;
      *owed -= left;
    }
    followed |= left;
    double ns = choice.way == HR_WAY_MODEL ? is->model : is->probe;
    if (choice.timed) hr_history_probed(record, &choice, ns, left);
  }
  if (followed && !is->after) scans = true;
  if (scans && choice.timed) scanned(record, is->scan, is->scan);
  if (followed && is->after && choice.timed)
    hr_history_scanned(record, is->scan, &(hr_scanned){is->after, queries > 1, true});
}

/* Answers `queries` queries in this world; counts the ways they go. */
static void play(hr_record *record, const world *is, int queries, bool together, int *ways) {
  double owed = 0;
  for (int way = 0; way < HR_WAYS; way++) ways[way] = 0;
  for (int q = 0; q < queries;) {
    uint32_t section = hr_history_section(record, together, HR_SECTION, (size_t)(queries - q));
    ask(record, is, section, &owed, ways);
    q += (int)section;
  }
}

/* In the long run nearly all queries go this way. */
static void expect_way(const world *is, bool together, hr_way way, const char *what) {
  hr_record record = {0};
  int ways[HR_WAYS];
  play(&record, is, EARLY, together, ways);
  play(&record, is, LATE, together, ways);
  expect(ways[way] > LATE * 85 / 100, what);
}

static void test_the_cheapest_way_is_taken(void) {
  for (int together = 0; together < 2; together++) {
    expect_way(&(world){10, 0, 300, 100, 0}, together, HR_WAY_MODEL, "probes that end are kept");
    expect_way(&(world){30, 1, 300, 100, 0}, together, HR_WAY_SCAN,
               "probes that all end in scans are not begun");
    expect_way(&(world){30, 1, 60, 100, 0}, together, HR_WAY_PROBE,
               "probes that were abandoned too early go on");
    expect_way(&(world){30, 0.2, 300, 100, 0}, together, HR_WAY_MODEL,
               "a scan now and then is no reason to scan always");
    expect_way(&(world){10, 1, 300, 100, 60}, together, HR_WAY_MODEL,
               "probes pay that make the scan shorter that follows");
    expect_way(&(world){50, 1, 300, 100, 60}, together, HR_WAY_SCAN, "but not at any price");
  }
}

static void test_the_first_queries_cost_little_more_than_the_best(void) {
  const world worlds[] = {{10, 0, 300, 100, 0}, {30, 1, 300, 100, 0}, {90, 0.3, 300, 100, 0}};
  for (int i = 0; i < 3; i++) {
    hr_record record = {0};
    int ways[HR_WAYS];
    const world *is = &worlds[i];
    play(&record, is, 32, false, ways);
    double model = is->model + is->left * is->scan;
    double spent =
        ways[HR_WAY_MODEL] * model + ways[HR_WAY_SCAN] * is->scan + ways[HR_WAY_PROBE] * is->probe;
    double best = model < is->scan ? model : is->scan;
    expect(spent < 1.25 * 32 * best, "32 queries take at most 1.25 times as long as the best way");
  }
}

/* Where all are abandoned. */
static void test_a_model_that_gives_up_is_doubted_once(void) {
  for (int together = 0; together < 2; together++) {
    const world mistaken = {60, 1, 50, 100, 0}, right = {60, 1, 300, 100, 0};
    hr_record record = {0}, other = {0};
    int ways[HR_WAYS];
    play(&record, &mistaken, 32, together, ways);
    expect(ways[HR_WAY_PROBE] >= 28, "a model that gives up too early is found out at once");
    play(&other, &right, 32, together, ways);
    expect(ways[HR_WAY_PROBE] == 1, "one query finds out that it does not");
  }
}

static void test_a_doubt_costs_no_more_than_a_scan(void) {
  hr_record record = {0};
  const world is = {60, 1, 300, 100, 0};
  int ways[HR_WAYS];
  play(&record, &is, 3, false, ways);
  hr_choice choice = choose(&record, 1, is.scan);
  expect(choice.way == HR_WAY_PROBE && choice.endured == 1, "it ends after one scan's time");
  hr_record sure = {0};
  play(&sure, &(world){10, 0, 300, 100, 0}, 32, false, ways);
  expect(ways[HR_WAY_MODEL] == 32, "where no query was abandoned nothing is doubted");
}

static void test_classes_do_not_touch_each_other(void) {
  hr_history history = {0};
  hr_record *ten = hr_history_of(&history, &(hr_asked){10, 64, 64, false, false});
  expect(ten == hr_history_of(&history, &(hr_asked){11, 64, 64, false, false}),
         "ten and eleven neighbours are alike");
  expect(ten != hr_history_of(&history, &(hr_asked){100, 64, 64, false, false}),
         "a hundred differ");
  expect(ten != hr_history_of(&history, &(hr_asked){10, 64, 64, true, false}), "together differs");
  expect(ten != hr_history_of(&history, &(hr_asked){10, 64, 64, false, true}), "a filter differs");
  expect(ten != hr_history_of(&history, &(hr_asked){SIZE_MAX, 10, 64, false, false}),
         "a radius differs");
  hr_record *last = hr_history_of(&history, &(hr_asked){SIZE_MAX, 4096, 1, true, true});
  expect(last < history.of + HR_QUERY_CLASSES, "there is room for all");
  last = hr_history_of(&history, &(hr_asked){SIZE_MAX - 1, 1, 1, true, true});
  expect(last < history.of + HR_QUERY_CLASSES, "for any k");
}

static void test_an_interrupted_query_tells_nothing(void) {
  hr_record record = {0};
  const world is = {40, 0, 200, 100, 0};
  int ways[HR_WAYS];
  play(&record, &is, EARLY, false, ways);
  hr_history_probed(&record, &(hr_choice){HR_WAY_MODEL, true, false, is.scan, 0}, 1e9, false);
  play(&record, &is, EARLY, false, ways);
  expect(ways[HR_WAY_MODEL] > EARLY * 85 / 100, "one slow probe changes little");
  scanned(&record, is.scan, 1e9);
  scanned(&record, is.scan, 1);
  play(&record, &is, EARLY, false, ways);
  expect(ways[HR_WAY_MODEL] > EARLY * 85 / 100, "nor does one scan");
}

static void test_what_changes_is_noticed(void) {
  hr_record record = {0};
  int ways[HR_WAYS];
  play(&record, &(world){80, 0, 80, 100, 0}, LATE, false, ways);
  play(&record, &(world){300, 0, 300, 100, 0}, LATE, false, ways);
  play(&record, &(world){300, 0, 300, 100, 0}, LATE, false, ways);
  expect(ways[HR_WAY_SCAN] > LATE * 8 / 10, "probes that became dear are left");
  play(&record, &(world){50, 0, 50, 100, 0}, 5 * LATE, false, ways);
  play(&record, &(world){50, 0, 50, 100, 0}, LATE, false, ways);
  expect(ways[HR_WAY_SCAN] < LATE * 2 / 10, "probes that became cheap are taken again");
}

/* As while memory is busy with what was freed: all probes are left for a scan, for some time. */
static void test_what_seemed_hopeless_is_tried_again_soon(void) {
  for (int together = 0; together < 2; together++) {
    const world busy = {100, 1, 200, 100, 0}, rested = {100, 1, 10, 100, 0};
    hr_record record = {0};
    int ways[HR_WAYS];
    stuck = true;
    play(&record, &busy, EARLY, together, ways);
    stuck = false;
    expect(ways[HR_WAY_SCAN] > EARLY * 9 / 10, "probes that end in scans are not begun");
    play(&record, &rested, EARLY, together, ways);
    play(&record, &rested, EARLY, together, ways);
    expect(ways[HR_WAY_PROBE] > EARLY * 85 / 100, "when they end again, that is soon noticed");
  }
}

/* As the first to touch memory, or a file that is mapped. */
static void test_a_cold_start_is_overcome(void) {
  hr_record record = {0};
  const world cold = {400, 0, 400, 100, 0}, warm = {10, 0, 10, 100, 0};
  int ways[HR_WAYS];
  play(&record, &cold, 3, false, ways);
  play(&record, &warm, 128, false, ways);
  play(&record, &warm, 64, false, ways);
  expect(ways[HR_WAY_SCAN] < 16, "probes that were dear at first are soon taken again");
}

/* One probe in `seldom` is not left, and no cheaper: a run follows each such one, at a price. */
static void test_vain_hope_is_cheap(void) {
  for (int together = 0; together < 2; together++) {
    hr_record record = {0};
    const world left = {300, 1, 200, 100, 0}, ends = {300, 0, 200, 100, 0};
    int ways[HR_WAYS], sum[HR_WAYS] = {0};
    for (int round = 0; round < LATE; round++) {
      stuck = round % 16;
      play(&record, stuck ? &left : &ends, HR_SECTION, together, ways);
      for (int way = 0; way < HR_WAYS; way++) sum[way] += ways[way];
    }
    stuck = false;
    double tried = 300.0 * sum[HR_WAY_MODEL] + 200.0 * sum[HR_WAY_PROBE];
    expect(tried < 100.0 * HR_SECTION * LATE / 20,
           "trying takes little of all time, whatever ends");
  }
}

/* What scans took beside all probes, where a scan takes a thousand times as long. */
static double tried_share(bool together) {
  hr_record record = {0};
  const world is = {1, 0, 1, 1000, 0};
  int ways[HR_WAYS];
  play(&record, &is, EARLY, together, ways);
  play(&record, &is, 1000 * LATE, together, ways);
  return ways[HR_WAY_SCAN] * is.scan / (1000.0 * LATE * is.model);
}

static void test_trying_is_cheap(void) {
  for (int together = 0; together < 2; together++) {
    double share = tried_share(together);
    expect(share > 0, "the other way is tried again");
    expect(share < 1.0 / 40, "trying takes about a fiftieth of all time");
  }
}

/* Of the probes one in `seldom` takes `dear`, the others `cheap`, by a generator of Lehmer's; a
 * scan takes 30. Returns the share of probes in percent. */
static int probes_of(uint32_t seldom, double dear, double cheap) {
  hr_record record = {0};
  uint32_t state = 1;
  int probes = 0;
  for (int q = 0; q < 5 * LATE; q++) {
    state = (uint32_t)((uint64_t)state * 48271 % 2147483647);
    hr_choice choice = choose(&record, 1, 30);
    double ns = state / 1024 % seldom ? cheap : dear;
    if (choice.timed && choice.way == HR_WAY_SCAN) scanned(&record, 30, 30);
    if (choice.timed && choice.way != HR_WAY_SCAN) hr_history_probed(&record, &choice, ns, false);
    probes += choice.way != HR_WAY_SCAN;
  }
  return probes * 20 / LATE;
}

static void test_the_mean_of_costs_that_vary_decides(void) {
  expect(probes_of(2, 36, 12) > 85, "some dear probes are no reason to scan");
  expect(probes_of(16, 80, 1) > 85, "nor are very dear ones, if they are few");
  expect(probes_of(4, 80, 20) < 20, "that most are cheap does not make up for the dear ones");
}

/* Probes take 35 until 16 went on end, for then their tables are in the cache, and 10 from then on;
 * a scan takes 30. Returns the share of probes in percent. */
static int probes_that_warm(void) {
  hr_record record = {0};
  int probes = 0, on_end = 0;
  for (int q = 0; q < 5 * LATE; q += HR_SECTION) {
    hr_choice choice = choose(&record, HR_SECTION, 30);
    if (choice.way == HR_WAY_SCAN) {
      on_end = 0;
      if (choice.timed) scanned(&record, 30, 30);
      continue;
    }
    for (int i = 0; i < HR_SECTION; i++, on_end++)
      if (choice.timed) hr_history_probed(&record, &choice, on_end < 16 ? 35 : 10, false);
    probes += HR_SECTION;
  }
  return probes * 20 / LATE;
}

static void test_a_way_that_has_to_warm_up_is_found(void) {
  expect(probes_that_warm() > 75, "some more queries show what it takes in the cache");
}

static void test_all_but_the_first_of_a_run_that_tries_is_timed(void) {
  hr_record record = {0};
  const world is = {20, 0, 20, 30, 0};
  int ways[HR_WAYS], tries = 0, runs = 0;
  play(&record, &is, EARLY, false, ways);
  for (int q = 0; q < LATE; q++) {
    hr_choice choice = choose(&record, 1, 30);
    tries = choice.way == HR_WAY_SCAN ? tries + 1 : 0;
    if (tries == 1) expect(!choice.timed, "the first of a run is not timed");
    if (tries > 1) expect(choice.timed, "all others are");
    runs += tries == 2;
  }
  expect(runs > 2, "another way is tried in runs");
}

/* Of LATE queries of a usual way that takes `ns`, those that are timed. */
static int timed_of(double ns) {
  hr_record record = {0};
  const world is = {ns, 0, 2 * ns, 2 * ns, 0};
  int ways[HR_WAYS], timed = 0;
  play(&record, &is, EARLY, false, ways);
  for (int q = 0; q < LATE; q++) timed += choose(&record, 1, is.scan).timed;
  return timed;
}

static void test_reading_the_clock_is_cheap(void) {
  expect(timed_of(500) < LATE / 5, "few of short queries are timed");
  expect(timed_of(50000) > LATE * 9 / 10, "nearly all long ones are");
}

static void test_no_count_ever_begins_anew(void) {
  hr_record record = {0};
  const world is = {10, 0.01, 12, 1000, 0};
  int ways[HR_WAYS];
  play(&record, &is, LATE, false, ways);
  for (int way = 0; way < HR_WAYS; way++) expect(record.times[way] <= 64, "counts end somewhere");
  for (int way = 0; way < HR_WAYS; way++)
    expect(record.ns[way] >= 0 && record.ns[way] < 1e4, "averages are numbers");
}

/* Where what was predicted of scans is off, as where finding results takes longer than comparing.
 */
static void test_the_first_scan_of_many_tells_at_once(void) {
  hr_record record = {0};
  expect(!hr_history_asks_scan(&record, 1), "where no probe was timed a scan tells nothing");
  hr_choice choice = {HR_WAY_MODEL, true, true, 1, 0};
  hr_history_probed(&record, &choice, 3, false);
  expect(hr_history_asks_scan(&record, 1), "a scan that is predicted to be cheaper is timed first");
  expect(!hr_history_asks_scan(&record, 0.1), "but not one that is far cheaper");
  hr_history_scanned(&record, 1, &(hr_scanned){8, true, false});
  expect(!hr_history_asks_scan(&record, 1), "it is timed once");
  choice = hr_history_choose(&record, HR_SECTION, 1, false);
  expect(choice.way == HR_WAY_MODEL, "then probes are known to be cheaper");
  hr_record single = {0};
  hr_history_probed(&single, &choice, 3, false);
  scanned(&single, 1, 8);
  choice = hr_history_choose(&single, 1, 1, false);
  expect(choice.way == HR_WAY_SCAN, "the scan of one query is no more than slow at first");
}

static void test_nothing_is_tried_where_nothing_may_be_lost(void) {
  hr_record record = {0};
  for (int q = 0; q < LATE; q++) {
    hr_choice choice = hr_history_choose(&record, HR_SECTION, 100, false);
    expect(choice.way == HR_WAY_SCAN && !choice.tried, "what is predicted goes");
    scanned(&record, 100, 100);
  }
  hr_choice choice = hr_history_choose(&record, 1, 100, true);
  expect(choice.way == HR_WAY_MODEL && choice.tried, "and the first that may be goes by the model");
}

int main(void) {
  test_the_first_scan_of_many_tells_at_once();
  test_nothing_is_tried_where_nothing_may_be_lost();
  test_the_cheapest_way_is_taken();
  test_the_first_queries_cost_little_more_than_the_best();
  test_a_model_that_gives_up_is_doubted_once();
  test_a_doubt_costs_no_more_than_a_scan();
  test_classes_do_not_touch_each_other();
  test_an_interrupted_query_tells_nothing();
  test_what_changes_is_noticed();
  test_what_seemed_hopeless_is_tried_again_soon();
  test_a_cold_start_is_overcome();
  test_vain_hope_is_cheap();
  test_trying_is_cheap();
  test_the_mean_of_costs_that_vary_decides();
  test_a_way_that_has_to_warm_up_is_found();
  test_all_but_the_first_of_a_run_that_tries_is_timed();
  test_reading_the_clock_is_cheap();
  test_no_count_ever_begins_anew();
  return failures != 0;
}
