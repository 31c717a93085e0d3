/* Making what searches need: sorted codes, bucket tables, measured costs.
 *
 * Who makes it reads rows that nobody changes: those that are sorted, and what was added since,
 * which is frozen for as long. That rows are removed meanwhile is made up for at the end. So
 * readers and writers are kept out only to freeze and to put in place, for as long as some pointers
 * take, and a look at a bit a row.
 */
#include "base/cancel.h"
#include "base/memory.h"
#include "index/internal.h"
#include "storage/postings_build.h"
#include "storage/postings_merge.h"

/* Rows as they were, so that a list of the live ones does not change: all else is borrowed. */
typedef struct {
  hr_postings sorted;
  hr_segment frozen[2];
} still;

/* What is put in place of what an index has; what stays empty here is kept there. */
typedef struct {
  hr_missing what;
  bool calibrate; /* costs are not known */
  still from;
  hr_postings *postings; /* HR_ORDER: NULL if no row is left */
  hr_mih *mih;
  hr_ivf *ivf; /* HR_ORDER: NULL if all codes are to be compared */
  hr_lsh *lsh;
  hr_costs costs;
  hr_segment main; /* HR_ONE_SEGMENT */
} made;

hr_status hr_index_gather(const hr_index *index, hr_segment *out) {
  hr_segment_init(out, index->bits);
  hr_status status = HR_OK;
  if (index->postings) status = hr_postings_unsort(index->postings, out);
  for (int segment = HR_SORTED + 1; !status && segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    if (rows->count) status = hr_segment_merge(out, rows);
  }
  if (status) hr_segment_free(out);
  return status;
}

hr_status hr_index_sort(const hr_index *index, const int *cancel, hr_postings **out) {
  hr_segment all;
  hr_status status = hr_index_gather(index, &all);
  if (status) return status;
  status = hr_postings_build(&all, cancel, out);
  hr_segment_free(&all);
  return status;
}

/* --- what is read -------------------------------------------------------------- */

static bool copy_live(hr_segment *rows) {
  if (!rows->live) return true;
  uint8_t *live = hr_alloc(hr_block_count(rows->count), 1);
  if (live) memcpy(live, rows->live, hr_block_count(rows->count));
  rows->live = live;
  return live;
}

static void close_still(still *from) {
  free(from->sorted.rows.live);
  free(from->frozen[0].live);
  free(from->frozen[1].live);
}

/* What is to be sorted: all that was added, or what an earlier merge has not finished. */
static bool open_still(hr_index *index, still *from) {
  if (!index->frozen[0].count && !index->frozen[1].count) {
    hr_segment_free(&index->frozen[0]);
    hr_segment_free(&index->frozen[1]);
    index->frozen[0] = index->main;
    index->frozen[1] = index->delta;
    hr_segment_init(&index->main, index->bits);
    hr_segment_init(&index->delta, index->bits);
  }
  if (index->postings) from->sorted = *index->postings;
  from->frozen[0] = index->frozen[0];
  from->frozen[1] = index->frozen[1];
  bool sorted = copy_live(&from->sorted.rows), main = copy_live(&from->frozen[0]),
       delta = copy_live(&from->frozen[1]);
  return sorted && main && delta;
}

/* --- making -------------------------------------------------------------------- */

/* Sorts what is frozen; NULL if no row of it is live. */
static hr_status sort_frozen(const still *from, const int *cancel, hr_postings **out) {
  const hr_segment *main = &from->frozen[0], *delta = &from->frozen[1];
  hr_segment both;
  *out = NULL;
  if (!hr_segment_live(main) && !hr_segment_live(delta)) return HR_OK;
  if (!hr_segment_live(main) || !hr_segment_live(delta))
    return hr_postings_build(hr_segment_live(main) ? main : delta, cancel, out);
  hr_segment_init(&both, main->bits);
  hr_status status = hr_segment_merge(&both, main);
  if (!status) status = hr_segment_merge(&both, delta);
  if (!status) status = hr_postings_build(&both, cancel, out);
  hr_segment_free(&both);
  return status;
}

/* Sorts all of it: entries in lists have lost their order, and that of a damaged file, mapped
 * without its CRCs checked, is not to be trusted. NULL if no row is live. */
static hr_status sort_anew(const still *from, const int *cancel, hr_postings **out) {
  hr_segment all;
  hr_segment_init(&all, from->frozen[0].bits);
  hr_status status = HR_OK;
  if (hr_segment_live(&from->sorted.rows)) status = hr_postings_unsort(&from->sorted, &all);
  for (int i = 0; !status && i < 2; i++) status = hr_segment_merge(&all, &from->frozen[i]);
  if (!status && all.count) status = hr_postings_build(&all, cancel, out);
  hr_segment_free(&all);
  return status;
}

static hr_status sort_in(const still *from, const int *cancel, hr_postings **out) {
  hr_postings *more;
  hr_status status = sort_frozen(from, cancel, &more);
  if (status) return status;
  if (!hr_segment_live(&from->sorted.rows)) {
    *out = more;
    return HR_OK;
  }
  hr_postings none = {.words = from->sorted.words};
  status = hr_postings_merge(&from->sorted, more ? more : &none, cancel, out);
  hr_postings_free(more);
  return status == HR_BAD_FORMAT ? sort_anew(from, cancel, out) : status;
}

/* Tables for HR_AUTO come with what they cost: searches that had the one without the other would
 * not know which way to go. */
static hr_status make_tables(const hr_index *index, const hr_postings *postings, const int *cancel,
                             made *m) {
  hr_status status = hr_mih_build(postings, index->tables, cancel, &m->mih);
  if (!status && m->calibrate) status = hr_calibrate(postings, m->mih, &m->costs);
  return status;
}

/* Entries are put into lists before anybody sees them, so that none are taken for sorted. */
static hr_status sort_into_lists(const hr_index *index, const int *cancel, made *m) {
  hr_status status = sort_anew(&m->from, cancel, &m->postings);
  if (status || !m->postings) return status;
  return hr_ivf_build(m->postings, index->recall, cancel, &m->ivf);
}

/* What filters have asked for once, they find again. The first time tables come later, when the
 * unsorted codes are gone: both at once need the memory of three. Then there are tables to search
 * in until the new ones are ready. */
static hr_status make_order(const hr_index *index, const int *cancel, made *m) {
  hr_status status = index->kind == HR_APPROXIMATE ? sort_into_lists(index, cancel, m)
                                                   : sort_in(&m->from, cancel, &m->postings);
  if (status || !m->postings) return status;
  if (m->from.sorted.entry_of) {
    m->postings->entry_of = hr_postings_entries(m->postings);
    if (!m->postings->entry_of) return HR_NO_MEMORY;
  }
  if (index->kind == HR_AUTO) status = hr_postings_keep_by_row(m->postings);
  if (!status && index->mih) status = make_tables(index, m->postings, cancel, m);
  return status;
}

static hr_status make(const hr_index *index, const int *cancel, made *m) {
  switch (m->what) {
    case HR_ONE_SEGMENT: return hr_index_gather(index, &m->main);
    case HR_LISTS: return hr_lsh_build(&index->main, index->tables, cancel, &m->lsh);
    case HR_ORDER: return make_order(index, cancel, m);
    case HR_TABLES: return make_tables(index, index->postings, cancel, m);
    default: return hr_calibrate(index->postings, index->mih, &m->costs);
  }
}

static void discard(made *m) {
  hr_mih_free(m->mih);
  hr_ivf_free(m->ivf);
  hr_postings_free(m->postings);
  hr_lsh_free(m->lsh);
  hr_segment_free(&m->main);
  close_still(&m->from);
}

/* --- putting in place ---------------------------------------------------------- */

/* Removes from what was made the rows that were removed since it was begun. */
static hr_status remove_gone(const hr_segment *before, const hr_segment *now, hr_postings *made) {
  if (before->tombstones == now->tombstones) return HR_OK;
  hr_status status = hr_segment_open_live(&made->rows);
  for (size_t block = 0; !status && block < hr_block_count(now->count); block++) {
    if ((before->live ? before->live[block] : 0xFF) == now->live[block]) continue;
    for (size_t row = block * 8; row < block * 8 + 8 && row < now->count; row++) {
      if (!hr_segment_is_live(before, row) || hr_segment_is_live(now, row)) continue;
      size_t gone = hr_segment_find(&made->rows, hr_segment_id(now, row));
      if (gone != HR_NO_ROW) hr_segment_delete(&made->rows, gone);
    }
  }
  return status;
}

/* Exchanges two values. */
#define EXCHANGE(type, a, b) \
  do {                       \
    type before = (a);       \
    (a) = (b);               \
    (b) = before;            \
  } while (0)

static hr_status put_order(hr_index *index, made *m) {
  hr_status status = HR_OK;
  if (m->postings && index->postings)
    status = remove_gone(&m->from.sorted.rows, &index->postings->rows, m->postings);
  for (int i = 0; !status && m->postings && i < 2; i++)
    status = remove_gone(&m->from.frozen[i], &index->frozen[i], m->postings);
  if (status) return status;
  index->replaced++;
  EXCHANGE(hr_postings *, index->postings, m->postings);
  EXCHANGE(hr_mih *, index->mih, m->mih);
  EXCHANGE(hr_ivf *, index->ivf, m->ivf);
  return HR_OK;
}

/* Leaves in `m` what was there before. */
static hr_status put_in_place(hr_index *index, made *m) {
  hr_status status = HR_OK;
  switch (m->what) {
    case HR_ONE_SEGMENT:
      EXCHANGE(hr_segment, index->main, m->main);
      hr_segment_free(&index->delta);
      EXCHANGE(hr_lsh *, index->lsh, m->lsh);
      break;
    case HR_LISTS: EXCHANGE(hr_lsh *, index->lsh, m->lsh); break;
    case HR_ORDER: status = put_order(index, m); break;
    case HR_TABLES: EXCHANGE(hr_mih *, index->mih, m->mih); break;
    default: break;
  }
  if (status) return status;
  bool learned = m->costs.block > 0;
  if (learned || m->what == HR_ORDER || m->what == HR_TABLES)
    index->planner.history = (hr_history){0};
  if (learned) index->planner.costs = m->costs;
  return HR_OK;
}

/* --- step by step --------------------------------------------------------------- */

/* Finds out what is to be made next, HR_NOTHING if all is there. */
static hr_status begin(hr_index *index, bool all, const int *cancel, made *m) {
  *m = (made){0};
  hr_segment_init(&m->main, index->bits);
  hr_index_lock_gently(index);
  hr_status status = hr_cancelled(cancel) ? HR_CANCELLED : HR_OK;
  if (!status) m->what = hr_index_missing(index, all);
  m->calibrate = index->kind == HR_AUTO && !(index->planner.costs.block > 0);
  if (m->what == HR_ORDER && !open_still(index, &m->from)) status = HR_NO_MEMORY;
  index->preparing = !status && m->what != HR_NOTHING;
  hr_index_unlock(index);
  if (status) discard(m);
  return status;
}

static hr_status make_one(hr_index *index, const int *cancel, made *m) {
  hr_status status = make(index, cancel, m);
  hr_segment old[2];
  hr_segment_init(&old[0], index->bits);
  hr_segment_init(&old[1], index->bits);
  hr_index_lock_gently(index);
  if (!status) status = put_in_place(index, m);
  for (int i = 0; !status && m->what == HR_ORDER && i < 2; i++)
    EXCHANGE(hr_segment, index->frozen[i], old[i]);
  index->preparing = false;
  hr_index_unlock(index);
  hr_segment_free(&old[0]);
  hr_segment_free(&old[1]);
  discard(m);
  return status;
}

hr_status hr_index_build(hr_index *index, bool all, const int *cancel) {
  made m;
  hr_status status = begin(index, all, cancel, &m);
  while (!status && m.what != HR_NOTHING) {
    status = make_one(index, cancel, &m);
    if (!status) status = begin(index, all, cancel, &m);
  }
  return status;
}

/* Takes what whoever builds holds; `alone`: writers are kept out too. */
static hr_status hold(hr_index *index, bool alone, const int *cancel) {
  hr_status status = hr_index_wait_building(index, cancel);
  if (!status && alone) hr_lock_exclusive(&index->changing);
  return status;
}

static void release(hr_index *index, bool alone) {
  if (alone) hr_unlock_exclusive(&index->changing);
  hr_unlock_exclusive(&index->building);
}

hr_status hr_make_ready(hr_index *index, const int *cancel) {
  bool alone = !hr_index_sorts(index); /* lists are made of what writers change */
  hr_status status = hold(index, alone, cancel);
  if (status) return status;
  status = hr_index_build(index, false, cancel);
  release(index, alone);
  return status;
}

hr_status hr_index_compact(hr_index *index, const int *cancel) {
  hr_status status = hold(index, true, cancel);
  if (status) return status;
  status = hr_index_build(index, true, cancel);
  if (!status) status = hr_index_build(index, false, cancel);
  release(index, true);
  return status;
}

/* The read lock is taken before anyone can change the index again: under a stream of additions it
 * would never be found ready. */
hr_status hr_index_prepare_all(hr_index *index, const int *cancel) {
  hr_lock_shared(&index->lock);
  if (hr_index_missing(index, true) == HR_NOTHING) return HR_OK;
  hr_unlock_shared(&index->lock);
  hr_status status = hold(index, true, cancel);
  if (status) return status;
  status = hr_index_build(index, true, cancel);
  if (!status) hr_lock_shared(&index->lock);
  release(index, true);
  return status;
}
