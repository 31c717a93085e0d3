/* Making what searches need: sorted codes, bucket tables, measured costs.
 *
 * All is made by the search that first misses it, beside other readers, who go on with
 * what there is; only putting it in place keeps them out, for as long as a pointer takes.
 */
#include "base/memory.h"
#include "index/internal.h"
#include "storage/postings_build.h"

/* Rows aside of the tables are compared with every query, up to so many or this share. */
#define ASIDE_ROWS ((size_t)256)
#define ASIDE_SHARE 8
/* HR_APPROXIMATE: its searches compare fewer than that already. */
#define ASIDE_SHARE_OF_LISTS 16
/* HR_AUTO: sorting pays from so many codes on; tables pay from so many different ones on: where
 * they do not, a query finds out at the cost of a bucket (history.h). */
#define SCANNED_ROWS ((size_t)16384)
#define SCANNED_ENTRIES ((size_t)1024)

static bool sorts(const hr_index *index) {
  return index->kind == HR_AUTO || index->kind == HR_MIH || index->kind == HR_APPROXIMATE;
}

/* Whether the codes are too few to be sorted. */
static bool stays_unsorted(const hr_index *index) {
  size_t rows = index->main.count + index->delta.count;
  return index->kind != HR_MIH && !index->postings && rows <= SCANNED_ROWS;
}

static bool flushed(const hr_index *index) {
  return !index->delta.count && !index->main.tombstones;
}

/* Whether few enough codes lie beside the sorted ones. */
static bool sorted_enough(const hr_index *index, bool all) {
  const hr_postings *postings = index->postings;
  if (stays_unsorted(index)) return !all || flushed(index);
  size_t sorted = postings ? postings->rows.count : 0;
  size_t aside = index->main.count + index->delta.count;
  if (all) return !aside && (!postings || !postings->rows.tombstones);
  if (index->kind == HR_AUTO && aside <= SCANNED_ROWS) return true;
  size_t share = index->kind == HR_APPROXIMATE ? ASIDE_SHARE_OF_LISTS : ASIDE_SHARE;
  return aside <= sorted / share || (aside <= ASIDE_ROWS && sorted);
}

static bool has_tables(const hr_index *index) {
  if (!index->postings || index->mih || index->kind == HR_APPROXIMATE) return true;
  return index->kind == HR_AUTO && index->postings->entries <= SCANNED_ENTRIES;
}

static bool calibrated(const hr_index *index) {
  return index->kind != HR_AUTO || !index->mih || index->planner.costs.block > 0;
}

static bool lsh_ready(const hr_index *index) {
  size_t listed = index->lsh ? hr_lsh_count(index->lsh) : 0, aside = index->main.count - listed;
  return aside <= ASIDE_ROWS || aside <= listed / ASIDE_SHARE;
}

bool hr_index_ready(const hr_index *index, bool all) {
  if (sorts(index))
    return sorted_enough(index, all) && has_tables(index) && (all || calibrated(index));
  if (all) return flushed(index);
  return index->kind != HR_LSH || lsh_ready(index);
}

/* What is put in place of what an index has; what stays empty here is kept there. */
typedef struct {
  hr_postings *postings;
  hr_mih *mih;
  hr_ivf *ivf;
  hr_lsh *lsh;
  hr_costs costs;
  hr_segment main; /* if `rows`: in place of main and delta */
  bool rows;
} made;

hr_status hr_index_gather(const hr_index *index, hr_segment *out) {
  hr_segment_init(out, index->bits);
  hr_status status = HR_OK;
  if (index->postings) status = hr_postings_unsort(index->postings, out);
  if (!status && index->main.count) status = hr_segment_merge(out, &index->main);
  if (!status && index->delta.count) status = hr_segment_merge(out, &index->delta);
  if (status) hr_segment_free(out);
  return status;
}

hr_status hr_index_sort(const hr_index *index, const int *cancel, hr_postings **out) {
  if (!index->postings && !index->delta.count) return hr_postings_build(&index->main, cancel, out);
  hr_segment all;
  hr_status status = hr_index_gather(index, &all);
  if (status) return status;
  status = hr_postings_build(&all, cancel, out);
  hr_segment_free(&all);
  return status;
}

/* Sorts all codes. The first time tables come later, when the unsorted codes are gone: both
 * at once need the memory of three. Then there are tables to search in until the new ones
 * are ready. */
static hr_status sort_all(const hr_index *index, const int *cancel, made *m) {
  hr_status status = hr_index_sort(index, cancel, &m->postings);
  if (!status && index->kind == HR_AUTO) status = hr_postings_keep_by_row(m->postings);
  if (!status && index->kind == HR_APPROXIMATE)
    status = hr_ivf_build(m->postings, index->recall, cancel, &m->ivf);
  if (!status && index->mih) status = hr_mih_build(m->postings, index->tables, cancel, &m->mih);
  hr_segment_init(&m->main, index->bits);
  m->rows = true;
  return status;
}

/* The first thing that is missing. */
static hr_status make(const hr_index *index, bool all, const int *cancel, made *m) {
  *m = (made){0};
  if (all && (!sorts(index) || stays_unsorted(index))) {
    m->rows = true;
    return hr_index_gather(index, &m->main);
  }
  if (!sorts(index)) return hr_lsh_build(&index->main, index->tables, cancel, &m->lsh);
  if (!sorted_enough(index, all)) return sort_all(index, cancel, m);
  if (!has_tables(index)) return hr_mih_build(index->postings, index->tables, cancel, &m->mih);
  return hr_calibrate(index->postings, index->mih, &m->costs);
}

static void discard(made *m) {
  hr_mih_free(m->mih);
  hr_ivf_free(m->ivf);
  hr_postings_free(m->postings);
  hr_lsh_free(m->lsh);
  hr_segment_free(&m->main);
}

/* Exchanges two values. */
#define EXCHANGE(type, a, b) \
  do {                       \
    type before = (a);       \
    (a) = (b);               \
    (b) = before;            \
  } while (0)

/* Leaves in `m` what was there before. */
static void put_in_place(hr_index *index, made *m) {
  bool sorted = m->postings;
  if (sorted) EXCHANGE(hr_postings *, index->postings, m->postings);
  if (sorted) EXCHANGE(hr_ivf *, index->ivf, m->ivf);
  if (sorted || m->mih) {
    EXCHANGE(hr_mih *, index->mih, m->mih);
    index->planner.history = (hr_history){0};
  }
  if (m->costs.block > 0) index->planner.costs = m->costs;
  if (m->lsh || m->rows) EXCHANGE(hr_lsh *, index->lsh, m->lsh);
  if (!m->rows) return;
  EXCHANGE(hr_segment, index->main, m->main);
  hr_segment_free(&index->delta);
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
