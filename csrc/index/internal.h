/* Inside of an index, shared by index.c, search.c and file.c. */
#ifndef HR_INDEX_H
#define HR_INDEX_H

#include "base/lock.h"
#include "lsh/lsh.h"
#include "planner/planner.h"
#include "storage/segment.h"

struct hr_index {
  hr_kind kind;
  uint32_t bits, tables;
  hr_plan plan;    /* HR_AUTO, HR_MIH: nearly all codes, sorted; else empty */
  hr_segment base; /* the other codes, sorted by id */
  hr_segment tail; /* codes added since with ids that do not follow the base's */
  int64_t next_id;
  hr_lsh *lsh; /* tables over the first rows of base; NULL until a search needs them */
  hr_lock lock;
  /* Held by whoever changes the index, from the first look to the last touch, so that new
   * tables can be made beside readers: only putting them in place takes `lock`. */
  hr_lock changing;
  bool preparing;     /* some reader makes new tables; the others use what there is */
  hr_waiters wanting; /* threads that wait to have the index for themselves */
};

/* The index for oneself: `lock` held exclusively. */
void hr_index_lock(hr_index *index);
void hr_index_unlock(hr_index *index);

/* The three places where codes are. Ids in one do not follow those in another. */
enum { HR_SORTED, HR_MAIN, HR_DELTA, HR_SEGMENTS };
/* NULL: nothing is there. */
const hr_segment *hr_index_rows(const hr_index *index, int place);

struct hr_filter {
  uint8_t *allow[HR_SEGMENTS]; /* a bit a row; dead rows are 0 */
};

/* All rows by ascending id, dead ones included. */
typedef struct {
  const hr_segment *rows[HR_SEGMENTS];
  size_t at[HR_SEGMENTS];
} hr_cursor;
hr_cursor hr_cursor_open(const hr_index *index);
/* The place of the next row, or -1. */
int hr_cursor_next(hr_cursor *cursor, size_t *row);

/* The place and row of a live id; -1 if there is none. */
int hr_index_locate(const hr_index *index, int64_t id, size_t *row);

/* A copy of all live codes, by id. Needs a lock. */
hr_status hr_index_gather(const hr_index *index, hr_segment *out);

/* Live codes. Needs a lock. */
size_t hr_index_live(const hr_index *index);

/* Makes what searches need, with no code left aside and no row dead, and takes the read lock. */
hr_status hr_index_prepare_all(hr_index *index, const int *cancel);
/* Whether a search may begin; with `all`, also no code is left aside and no row is dead. Needs a
 * lock. */
bool hr_index_ready(const hr_index *index, bool all);

#endif
