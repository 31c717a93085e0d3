/* Inside of an index, for the files of this folder. */
#ifndef HR_INDEX_INTERNAL_H
#define HR_INDEX_INTERNAL_H

#include "base/compiler.h"
#include "base/lock.h"
#include "base/thread.h"
#include "ivf/probe.h"
#include "lsh/lsh.h"
#include "planner/planner.h"
#include "storage/segment.h"
#include "storage/subset.h"

/* A thread of the index's own, which makes what searches need while they go on. */
typedef enum { HR_RESTING, HR_WORKING, HR_ENDED } hr_working;
typedef struct {
  hr_lock starting; /* held by who starts or joins the thread; before all others */
  hr_thread thread; /* unless it is resting */
  int working;      /* hr_working: read and written atomically */
  int cancel;       /* polled by the thread */
  double pause;     /* by the clock: it ran out of memory, and is not started before */
} hr_background;

struct hr_index {
  hr_kind kind;
  uint32_t bits, tables, recall;
  /* Codes are in segments. */
  hr_postings *postings; /* HR_AUTO, HR_MIH, HR_APPROXIMATE: nearly all codes, sorted; NULL: none */
  hr_segment frozen[2];  /* main and delta as they were when a merge began, which sorts them in;
                            none of their codes changes, but they can be removed */
  hr_segment main;       /* the other codes, sorted by id */
  hr_segment delta;      /* codes added since with ids that do not follow those of main */
  hr_mih *mih;           /* tables over the postings; NULL: too few codes */
  hr_ivf *ivf;           /* HR_APPROXIMATE: lists of the postings; NULL: too few codes */
  hr_lsh *lsh;           /* tables over the first rows of main; NULL until a search needs them */
  hr_planner planner;    /* HR_AUTO: what is known about searching the postings */
  int64_t next_id;       /* one past the largest ever added */
  /* To be taken in this order. */
  hr_lock building; /* by whoever makes what searches need; nobody else replaces the sorted codes or
                       the tables, or frees what is frozen */
  hr_lock changing; /* by whoever adds, removes or updates, and by who must keep others from it for
                       long, beside readers */
  hr_lock lock;     /* shared by readers; exclusively by who changes what those see */
  bool preparing;   /* something better is being made: searches use what there is */
  int wanting;      /* threads that wait to have the index for themselves */
  uint64_t state;   /* how often some thread had */
  uint64_t replaced; /* how often the sorted codes were */
  hr_background background;
  size_t soon; /* so many words, or fewer, are sorted by the search that misses it */
};

/* --- lock.c --- */

/* HR_NO_MEMORY, and none is open. */
hr_status hr_index_open_locks(hr_index *index);
void hr_index_close_locks(hr_index *index);
/* The index for oneself: `lock` held exclusively. */
void hr_index_lock(hr_index *index);
void hr_index_unlock(hr_index *index);
/* The same, for who can wait until some long search is over. */
void hr_index_lock_gently(hr_index *index);
/* Takes `building`, or HR_CANCELLED. */
hr_status hr_index_wait_building(hr_index *index, const int *cancel);
/* Holds `lock` shared. HR_NOT_READY if something is to be made before a search for so many queries;
 * 0: no search follows. `codes`: they can be found by row. */
hr_status hr_index_lock_shared(hr_index *index, size_t queries, bool codes);

/* Ids in one segment do not follow those in another. */
enum { HR_SORTED, HR_FROZEN_MAIN, HR_FROZEN_DELTA, HR_MAIN, HR_DELTA, HR_SEGMENTS };
/* NULL: nothing is there. */
const hr_segment *hr_index_segment(const hr_index *index, int segment);

struct hr_filter {
  uint8_t *allow[HR_SEGMENTS]; /* a bit a row; 0 for tombstones */
  size_t allowed[HR_SEGMENTS]; /* how many rows that are */
  hr_few *few;                 /* the same rows, once they are copied: published (compiler.h) */
  int copying;                 /* who takes it copies them */
  uint32_t spent;              /* by searches without the copy, see few.c */
};

struct hr_few {
  hr_subset of[HR_SEGMENTS];
};
/* NULL: the rows of this segment were not copied. */
static inline const hr_subset *hr_few_of(const hr_few *few, int segment) {
  return few && few->of[segment].blocks ? &few->of[segment] : NULL;
}
void hr_few_free(hr_few *few);
/* A search by a filter, or by none, took so long: that counts towards a copy. */
void hr_filter_spend(hr_filter *filter, const hr_few *few, double ns);

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

/* --- ready.c: what a search lacks. Need a lock. --- */

/* The first thing that is missing; in the order in which they are made. */
typedef enum {
  HR_NOTHING,
  HR_ONE_SEGMENT, /* main and delta merged, of those that stay unsorted */
  HR_LISTS,       /* the tables of HR_LSH */
  HR_ORDER,       /* sorted codes, of HR_APPROXIMATE in lists */
  HR_TABLES,      /* over those */
  HR_COSTS,       /* of searching them */
} hr_missing;
/* `all`: no code is to be left aside, and no row to be a tombstone. */
hr_missing hr_index_missing(const hr_index *index, bool all);
/* Whether that takes so long to make that no search should wait for it, but one for so many queries
 * that it is over sooner if it does. */
bool hr_index_takes_long(const hr_index *index, hr_missing missing);
bool hr_index_worth_waiting(const hr_index *index, hr_missing missing, size_t queries);
bool hr_index_sorts(const hr_index *index);
/* Rows that lie beside the sorted ones. */
size_t hr_index_aside(const hr_index *index);
/* Whether a removed share of so many rows is to be dropped. */
bool hr_index_too_many_removed(size_t removed, size_t rows);

/* --- build.c: making it. --- */

/* Makes what searches need; `building` is held, and `changing` if `all` or for HR_LSH. */
hr_status hr_index_build(hr_index *index, bool all, const int *cancel);
/* Makes what searches need, with no code left aside and no tombstone, and takes the read lock. */
hr_status hr_index_prepare_all(hr_index *index, const int *cancel);

#endif
