/* Inside of an index, for the files of this folder. */
#ifndef HR_INDEX_INTERNAL_H
#define HR_INDEX_INTERNAL_H

#include "base/lock.h"
#include "ivf/probe.h"
#include "lsh/lsh.h"
#include "planner/planner.h"
#include "storage/segment.h"
#include "storage/subset.h"

struct hr_index {
  hr_kind kind;
  uint32_t bits, tables, recall;
  /* Codes are in three segments. */
  hr_postings *postings; /* HR_AUTO, HR_MIH, HR_APPROXIMATE: nearly all codes, sorted; NULL: none */
  hr_segment main;       /* the other codes, sorted by id */
  hr_segment delta;      /* codes added since with ids that do not follow those of main */
  hr_mih *mih;           /* tables over the postings; NULL: too few codes */
  hr_ivf *ivf;           /* HR_APPROXIMATE: lists of the postings; NULL: too few codes */
  hr_lsh *lsh;           /* tables over the first rows of main; NULL until a search needs them */
  hr_planner planner;    /* HR_AUTO: what is known about searching the postings */
  int64_t next_id;       /* one past the largest ever added */
  hr_lock lock;
  /* Held by whoever changes the index, from the first look to the last touch, so that new
   * tables can be made beside readers: putting those in place takes `lock`, as does a change. */
  hr_lock changing;
  bool preparing; /* some reader makes new tables; the others use what there is */
  int wanting;    /* threads that wait to have the index for themselves */
  uint64_t state; /* how often some thread had */
};

/* The index for oneself: `lock` held exclusively. */
void hr_index_lock(hr_index *index);
void hr_index_unlock(hr_index *index);
/* Holds `lock` shared. `search`: HR_NOT_READY if something is to be made before one; `codes`: they
 * can be found by row. */
hr_status hr_index_lock_shared(hr_index *index, bool search, bool codes);

/* Ids in one segment do not follow those in another. */
enum { HR_SORTED, HR_MAIN, HR_DELTA, HR_SEGMENTS };
/* NULL: nothing is there. */
const hr_segment *hr_index_segment(const hr_index *index, int segment);

struct hr_filter {
  uint8_t *allow[HR_SEGMENTS]; /* a bit a row; 0 for tombstones */
  hr_subset few[HR_SEGMENTS];  /* the same rows, if they are few */
  size_t sorted;               /* HR_APPROXIMATE: how many rows of HR_SORTED are allowed */
};

/* All live rows by ascending id. */
typedef struct {
  const hr_segment *rows[HR_SEGMENTS];
  size_t at[HR_SEGMENTS];
} hr_cursor;
hr_cursor hr_cursor_open(const hr_index *index);
/* The segment of the next row, or -1. */
int hr_cursor_next(hr_cursor *cursor, size_t *row);

/* The segment and row of a live id; -1 if there is none. */
int hr_index_locate(const hr_index *index, int64_t id, size_t *row);

/* A copy of all live codes, by id. Needs a lock. */
hr_status hr_index_gather(const hr_index *index, hr_segment *out);
/* Sorts all live codes. Needs a lock. */
hr_status hr_index_sort(const hr_index *index, const int *cancel, hr_postings **out);

/* Live codes. Needs a lock. */
size_t hr_index_live(const hr_index *index);

/* Makes what searches need, with no code left aside and no tombstone, and takes the read lock. */
hr_status hr_index_prepare_all(hr_index *index, const int *cancel);
/* Whether a search may begin; with `all`, also no code is left aside and no row is a tombstone.
 * Needs a lock. */
bool hr_index_ready(const hr_index *index, bool all);

#endif
