/* Early stopping: how much of long codes is compared before the rest is left.
 *
 * A distance only grows with the bytes that are compared: where the sums of all rows of a block are
 * beyond the limit after its heads, none of them is a hit. How long heads should be is a wager: a
 * look costs a little, a block that cannot be left a branch that was not foreseen, and a longer
 * head is surer. Random bits tell where to begin; from there it goes, a step a round, to where
 * comparing has cost least in the last blocks. Where that is hardly less than without heads, blocks
 * are compared whole, but for a trial now and then.
 *
 * One query waits for memory, and what it does not read may be fetched all the same, or break the
 * order that the processor fetches ahead in: there the clock decides between heads and none.
 *
 * Among 500,000 codes of 512 bits in clusters of 25 the tenth is about 110 away. Of random codes
 * half of the bits are farther but for one in eighty, so that nine blocks in ten would be left.
 */
#ifndef HR_HEADS_H
#define HR_HEADS_H

#include <stdbool.h>

#include "kernels/kernels.h"

/* Heads a step shorter, a step longer, and as they are, which take turns. */
typedef enum { HR_SHORTER, HR_LONGER, HR_SAME, HR_ARMS } hr_arm;

/* Of a group of queries; all zero at first. */
typedef struct {
  hr_form form;
  bool timed;           /* told by who begins: the clock decides, too */
  bool fewer;           /* heads as they are compare less than none, all reckoned */
  bool pays;            /* and do not take longer */
  bool resting;         /* this turn has none */
  hr_arm arm;           /* of this turn */
  int32_t shift;        /* of heads as they are from what random bits need, in steps */
  size_t turn, rest;    /* blocks to come of this turn, and of the last one without heads */
  size_t from;          /* where the pass began */
  uint32_t limit;       /* of the last pass with heads */
  double spent, blocks; /* in this turn: bytes compared, and what goes with it, and blocks */
  double cost[HR_ARMS]; /* of a block in the last turn of each arm, in bytes */
  double ns, passed;    /* timed in this turn, and so many blocks */
  double with, without; /* nanoseconds of a block with heads and with none; 0: not known */
  uint32_t turns;       /* with heads since these were compared */
} hr_heads;

/* Before a pass of a kernel: tells it the length of heads, and may let it end earlier. */
void hr_heads_begin(hr_heads *heads, hr_pass *pass, hr_form form);
/* Whether its time is worth taking. */
static inline bool hr_heads_need_time(const hr_heads *heads) {
  return heads->timed && heads->fewer;
}
/* After it: it took so many nanoseconds, if these were needed. */
void hr_heads_end(hr_heads *heads, const hr_pass *pass, double ns);

#endif
