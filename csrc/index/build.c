/* What searches need: bucket tables, sorted codes, measured costs.
 *
 * All is made by the search that first misses it, beside other readers, who go on with
 * what there is; only putting it in place keeps them out, for as long as a pointer takes.
 */
#include "base/memory.h"
#include "index/internal.h"

/* Rows aside of the tables are compared with every query, up to so many or this share. */
#define ASIDE_ROWS ((size_t)256)
#define ASIDE_SHARE 8
/* HR_AUTO: sorting pays from so many codes on; tables pay from so many different ones on: where
 * they do not, a query finds out at the cost of a bucket (habits.h). */
#define SCANNED_ROWS ((size_t)16384)
#define SCANNED_ENTRIES ((size_t)1024)

static bool sorts(const hr_index *index) { return index->kind == HR_AUTO || index->kind == HR_MIH; }

/* Whether the codes are too few to be sorted. */
static bool stays_unsorted(const hr_index *index) {
  size_t rows = index->base.count + index->tail.count;
  return index->kind == HR_AUTO && !index->plan.sorted && rows <= SCANNED_ROWS;
}

static bool flushed(const hr_index *index) { return !index->tail.count && !index->base.dead; }

/* Whether few enough codes lie beside the sorted ones. */
static bool sorted_enough(const hr_index *index, bool all) {
  const hr_plan *plan = &index->plan;
  if (stays_unsorted(index)) return !all || flushed(index);
  size_t sorted = plan->sorted ? plan->sorted->rows.count : 0;
  size_t aside = index->base.count + index->tail.count;
  if (all) return !aside && (!plan->sorted || !plan->sorted->rows.dead);
  if (index->kind == HR_AUTO && aside <= SCANNED_ROWS) return true;
  return aside <= sorted / ASIDE_SHARE || (aside <= ASIDE_ROWS && sorted);
}

static bool tabled(const hr_index *index) {
  const hr_plan *plan = &index->plan;
  if (!plan->sorted || plan->mih) return true;
  return index->kind == HR_AUTO && plan->sorted->entries <= SCANNED_ENTRIES;
}

static bool measured(const hr_index *index) {
  return index->kind != HR_AUTO || !index->plan.mih || index->plan.costs.block > 0;
}

static bool lsh_ready(const hr_index *index) {
  size_t listed = index->lsh ? hr_lsh_count(index->lsh) : 0, aside = index->base.count - listed;
  return aside <= ASIDE_ROWS || aside <= listed / ASIDE_SHARE;
}

bool hr_index_ready(const hr_index *index, bool all) {
  if (sorts(index)) return sorted_enough(index, all) && tabled(index) && (all || measured(index));
  if (all) return flushed(index);
  return index->kind != HR_LSH || lsh_ready(index);
}

/* What takes the place of what an index has; the places that stay empty keep theirs. */
typedef struct {
  hr_plan plan;
  hr_lsh *lsh;
  hr_segment base; /* replaces base and tail */
  bool rows;
} made;

hr_status hr_index_gather(const hr_index *index, hr_segment *out) {
  hr_segment_init(out, index->bits);
  hr_status status = HR_OK;
  if (index->plan.sorted) status = hr_postings_unsort(index->plan.sorted, out);
  for (int place = HR_MAIN; !status && place < HR_SEGMENTS; place++) {
    hr_segment copy;
    status = hr_segment_copy(hr_index_rows(index, place), &copy);
    if (status) break;
    status = hr_segment_merge(out, &copy);
    hr_segment_free(&copy);
  }
  if (status) hr_segment_free(out);
  return status;
}

/* Sorts all codes. The first time tables come later, when the unsorted codes are gone: both
 * at once need the memory of three. Then there are tables to search in until the new ones
 * are ready. */
static hr_status sort_all(const hr_index *index, const int *cancel, made *m) {
  const hr_plan *plan = &index->plan;
  bool first = !plan->sorted && !index->tail.count;
  hr_segment all;
  hr_status status = first ? HR_OK : hr_index_gather(index, &all);
  if (status) return status;
  status = hr_postings_build(first ? &index->base : &all, cancel, &m->plan.sorted);
  if (!first) hr_segment_free(&all);
  if (!status && index->kind == HR_AUTO) status = hr_postings_keep_by_row(m->plan.sorted);
  if (!status && plan->mih)
    status = hr_mih_build(m->plan.sorted, index->tables, cancel, &m->plan.mih);
  m->plan.costs = plan->costs;
  hr_segment_init(&m->base, index->bits);
  m->rows = true;
  return status;
}

static hr_status measure(const hr_index *index, made *m) {
  hr_plan plan = index->plan;
  hr_status status = hr_plan_measure(&plan);
  m->plan.costs = plan.costs;
  return status;
}

/* The first thing that is missing. */
static hr_status make(const hr_index *index, bool all, const int *cancel, made *m) {
  *m = (made){0};
  if (all && (!sorts(index) || stays_unsorted(index))) {
    m->rows = true;
    return hr_index_gather(index, &m->base);
  }
  if (!sorts(index)) return hr_lsh_build(&index->base, index->tables, cancel, &m->lsh);
  if (!sorted_enough(index, all)) return sort_all(index, cancel, m);
  if (!tabled(index)) return hr_mih_build(index->plan.sorted, index->tables, cancel, &m->plan.mih);
  return measure(index, m);
}

static void discard(made *m) {
  hr_plan_close(&m->plan);
  hr_lsh_free(m->lsh);
  hr_segment_free(&m->base);
}

/* Leaves in `m` what was there before. */
static void put_in_place(hr_index *index, made *m) {
  if (m->plan.sorted) {
    hr_plan before = index->plan;
    index->plan = m->plan;
    m->plan = before;
  } else if (m->plan.mih) {
    index->plan.mih = m->plan.mih;
    m->plan.mih = NULL;
  } else {
    index->plan.costs = m->plan.costs;
  }
  if (m->lsh || m->rows) {
    hr_lsh *before = index->lsh;
    index->lsh = m->lsh;
    m->lsh = before;
  }
  if (m->rows) {
    hr_segment before = index->base;
    index->base = m->base;
    m->base = before;
    hr_segment_free(&index->tail);
  }
}

/* Whether it falls to the caller to prepare. */
static bool begin(hr_index *index, bool all) {
  hr_index_lock(index);
  bool needed = !hr_index_ready(index, all);
  index->preparing = needed;
  hr_index_unlock(index);
  return needed;
}

static hr_status prepare_one(hr_index *index, bool all, const int *cancel) {
  made m;
  hr_lock_shared(&index->lock);
  hr_status status = make(index, all, cancel, &m);
  hr_unlock_shared(&index->lock);
  hr_index_lock(index);
  if (!status) put_in_place(index, &m);
  index->preparing = false;
  hr_index_unlock(index);
  discard(&m);
  return status;
}

static hr_status prepare(hr_index *index, bool all, const int *cancel) {
  hr_status status = HR_OK;
  while (!status && begin(index, all)) status = prepare_one(index, all, cancel);
  return status;
}

hr_status hr_make_ready(hr_index *index, const int *cancel) {
  hr_lock_exclusive(&index->changing);
  hr_status status = prepare(index, false, cancel);
  hr_unlock_exclusive(&index->changing);
  return status;
}

/* The read lock is taken before anyone can change the index again: under a stream of additions it
 * would never be found ready. */
hr_status hr_index_prepare_all(hr_index *index, const int *cancel) {
  hr_lock_shared(&index->lock);
  if (hr_index_ready(index, true)) return HR_OK;
  hr_unlock_shared(&index->lock);
  hr_lock_exclusive(&index->changing);
  hr_status status = prepare(index, true, cancel);
  if (!status) hr_lock_shared(&index->lock);
  hr_unlock_exclusive(&index->changing);
  return status;
}

hr_status hr_read_lock(hr_index *index) {
  hr_lock_shared(&index->lock);
  if (index->preparing || hr_index_ready(index, false)) return HR_OK;
  hr_unlock_shared(&index->lock);
  return HR_NOT_READY;
}

void hr_read_unlock(hr_index *index) { hr_unlock_shared(&index->lock); }
