/* Plays passes over blocks of known distances to early stopping: how long do heads become? */
#include "scan/heads.h"

#include <math.h>
#include <stdio.h>

#include "hashret.h"
#include "kernels/dispatch.h"

enum { WORDS = 8, BYTES = WORDS * 8, BLOCKS = 100000 };

static int failures;

static void expect(int holds, const char *what) {
  if (holds) return;
  printf("not so: %s\n", what);
  failures++;
}

/* What share of blocks can be left after so many bytes. */
typedef double (*world)(double head);

static double soon(double head) { return head >= 24 ? 1 : 0; }
static double late(double head) { return head >= 48 ? 0.95 : 0; }
static double random_bits(double head) { return head >= 56 ? 0.2 : 0; }
static double never(double head) { return head > BYTES; }

/* What a kernel would do; returns the bytes that were compared. */
static double pass_over(hr_pass *pass, world is, double *owed) {
  double blocks = (double)(pass->end - pass->block), head = (double)pass->head;
  pass->block = pass->end;
  if (head == 0) return blocks * BYTES;
  *owed += blocks * is(head);
  pass->left = (size_t)*owed;
  *owed -= (double)pass->left;
  return blocks * head + (blocks - (double)pass->left) * (BYTES - head);
}

typedef struct {
  double compared; /* of all bytes */
  double looked;   /* share of the blocks that had heads */
} outcome;

/* `dear`: what a block with heads takes, of one without; 0: nobody looks at the clock. */
static outcome play(world is, uint32_t limit, size_t window, double dear) {
  hr_heads heads = {.timed = dear > 0};
  hr_pass pass = {.words = WORDS, .queries = 1, .limit = {limit}};
  outcome sum = {0};
  double owed = 0;
  while (pass.block < BLOCKS) {
    pass.end = pass.block + window < BLOCKS ? pass.block + window : BLOCKS;
    hr_heads_begin(&heads, &pass, HR_LONE);
    size_t from = pass.block;
    sum.compared += pass_over(&pass, is, &owed) / BYTES / BLOCKS;
    if (pass.head) sum.looked += (double)(pass.block - from) / BLOCKS;
    double ns = (double)(pass.block - from) * (pass.head ? dear : 1);
    hr_heads_end(&heads, &pass, hr_heads_need_time(&heads) ? ns : 0);
  }
  return sum;
}

int main(void) {
  hr_isa_select(NULL);
  if (!hr_active_kernels()->heads[HR_LONE].look) return 0;
  for (size_t window = 3; window < 3000; window = window * 3 + 1) {
    expect(play(soon, 110, window, 0).compared < 0.45, "heads shrink to what is sure");
    expect(play(late, 110, window, 0).compared < 0.80, "heads grow to what is sure");
    expect(play(random_bits, 200, window, 0).looked < 0.03,
           "what is gained by little is left alone");
    expect(play(never, 110, window, 0).looked < 0.02, "trials that do not pay become rare");
    expect(play(late, 110, window, 0.9).compared < 0.85, "the clock agrees");
    expect(play(late, 110, window, 1.3).looked < 0.05, "heads that take longer become rare");
    expect(play(never, 110, window, 0.5).looked < 0.02, "where bytes do not pay nothing is timed");
    expect(play(never, 300, window, 0).looked == 0, "no trial where random bits cannot be beyond");
  }
  return failures != 0;
}
