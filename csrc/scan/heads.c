/* Wagers on the length of heads. */
#include "scan/heads.h"

#include <math.h>

#include "hashret.h"
#include "kernels/dispatch.h"

/* Blocks of a turn that tries, of one that takes the best, and the most without heads on end.
 * All are whole strips. */
#define TRIAL ((size_t)32)
#define MAIN ((size_t)512)
#define LONGEST_REST ((size_t)4096)
/* Heads have to save a twelfth: what a look costs differs among processors. */
#define WORTH (11.0 / 12)
/* A limit that has come down by a sixteenth deserves a trial at once. */
#define LOWER (15.0 / 16)
/* A trial that did not pay is followed by one with heads so much longer, up to so much in all. */
#define LENGTHEN 2
#define MOST_LONGER 6

/* By the clock heads have to save a sixteenth, or rest for up to so many times as long. Where they
 * do, that is looked at again after so many turns. */
#define QUICKER (15.0 / 16)
#define DEARER 16
#define COMPARED 32

/* The sum of b random bits is beyond the limit but for one in so many standard deviations, where
 * b/2 - z sqrt(b)/2 is the limit: z for 8 rows of a block, and for four queries to 64 rows. */
#define SURE_BLOCK 2.2
#define SURE_STRIP 3.4

static bool allowed = true;

void hr_early_stopping(bool may) { allowed = may; }

static uint32_t farthest_limit(const hr_pass *pass) {
  uint32_t most = 0;
  for (uint32_t q = 0; q < pass->queries; q++)
    if (pass->limit[q] > most) most = pass->limit[q];
  return most;
}

/* The length of heads, in bytes; 0: not even whole codes of random bits would be beyond. */
static size_t length_of(const hr_heads *h, const hr_pass *pass) {
  size_t step = HR_HEAD_STEP(h->form == HR_STRIPS), whole = pass->words * sizeof(uint64_t);
  double limit = farthest_limit(pass), z = h->form == HR_STRIPS ? SURE_STRIP : SURE_BLOCK;
  if (limit * 2 >= (double)whole * 8) return 0;
  double root = (z + sqrt(z * z + 8 * limit)) / 2;
  int32_t steps = (int32_t)ceil(root * root / 8 / (double)step) + h->shift;
  if (h->arm != HR_SAME) steps += h->arm == HR_LONGER ? 1 : -1;
  int32_t most = (int32_t)(whole / step) - 1;
  return step * (size_t)(steps < 1 ? 1 : steps < most ? steps : most);
}

static void begin_turn(hr_heads *h, hr_arm arm) {
  h->arm = arm;
  h->turn = arm == HR_SAME && h->fewer ? MAIN : TRIAL;
  h->spent = h->blocks = h->ns = h->passed = 0;
}

void hr_heads_begin(hr_heads *h, hr_pass *pass, hr_form form) {
  pass->head = pass->left = 0;
  h->from = pass->block;
  if (!allowed || !hr_active_kernels()->heads[form].look) return;
  uint32_t limit = farthest_limit(pass);
  if (h->form != form || !h->turn || (h->resting && limit < LOWER * h->limit)) {
    *h = (hr_heads){.form = form, .from = pass->block, .timed = h->timed};
    begin_turn(h, HR_SAME);
  }
  if (!h->resting) h->limit = limit;
  if (!h->resting) pass->head = length_of(h, pass);
  if (pass->end - pass->block > h->turn) pass->end = pass->block + h->turn;
}

/* Goes on with the arm that cost least. */
static void move(hr_heads *h) {
  hr_arm best = HR_SAME;
  for (hr_arm arm = HR_SHORTER; arm < HR_ARMS; arm++)
    if (h->cost[arm] < h->cost[best]) best = arm;
  if (best != HR_SAME) h->shift += best == HR_LONGER ? 1 : -1;
  h->cost[HR_SAME] = h->cost[best];
}

static double each(const hr_heads *h) { return h->passed > 0 ? h->ns / h->passed : 0; }

/* By the clock. Before both are known heads are taken for dearer, so that a rest shows what none
 * take. */
static bool takes_longer(hr_heads *h) {
  if (!h->timed) return false;
  if (each(h) > 0) h->with = each(h);
  if (h->turns++ == COMPARED) h->without = h->turns = 0;
  return h->with >= QUICKER * h->without;
}

static void begin_rest(hr_heads *h) {
  size_t longest = h->fewer ? DEARER * LONGEST_REST : LONGEST_REST;
  if (!h->fewer) h->shift = h->shift < 0 || h->shift >= MOST_LONGER ? 0 : h->shift + LENGTHEN;
  h->rest = h->rest ? 2 * h->rest : MAIN;
  if (h->rest > longest) h->rest = longest;
  h->resting = true;
  h->turn = h->rest;
  h->ns = h->passed = 0;
}

static void end_turn(hr_heads *h, double whole) {
  if (h->resting) {
    if (each(h) > 0) h->without = each(h);
    h->resting = false;
    begin_turn(h, HR_SAME);
    return;
  }
  h->cost[h->arm] = h->blocks > 0 ? h->spent / h->blocks : whole;
  if (h->arm == HR_SAME) {
    if (h->fewer) move(h);
    bool known = h->fewer; /* this turn was timed */
    h->fewer = h->cost[HR_SAME] < WORTH * whole;
    h->pays = h->fewer && !(known && takes_longer(h));
  }
  if (h->pays) {
    h->rest = 0;
    begin_turn(h, (h->arm + 1) % HR_ARMS);
  } else {
    begin_rest(h);
  }
}

void hr_heads_end(hr_heads *h, const hr_pass *pass, double ns) {
  hr_head_cost cost = hr_active_kernels()->heads[h->form];
  size_t passed = pass->block - h->from;
  if (!h->turn || !passed) return;
  double whole = (double)(pass->words * sizeof(uint64_t)), head = (double)pass->head;
  if (head > 0) {
    double blocks = (double)(passed * pass->queries), left = fmin((double)pass->left, blocks);
    h->blocks += blocks;
    h->spent += blocks * (head + cost.look) + (blocks - left) * (whole - head) +
                fmin(left, blocks - left) * cost.miss;
  }
  h->ns += ns;
  if (ns > 0) h->passed += (double)passed;
  h->turn = passed < h->turn ? h->turn - passed : 0;
  if (!h->turn) end_turn(h, whole);
}
