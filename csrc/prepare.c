/* What searches need: bucket tables, sorted codes, measured costs.
 *
 * All is made by the search that first misses it, beside other readers, who go on with
 * what there is; only putting it in place keeps them out, for as long as a pointer takes.
 */
#include "index.h"
#include "memory.h"

/* Rows aside of the tables are compared with every query, up to so many or this share. */
#define ASIDE_ROWS ((size_t)256)
#define ASIDE_SHARE 8
/* HR_AUTO: fewer codes are scanned faster than looked up. */
#define SCANNED_ROWS ((size_t)16384)

static bool sorts(const hr_index *index) { return index->kind == HR_AUTO || index->kind == HR_MIH; }

static bool sorted_ready(const hr_index *index, bool all) {
  const hr_plan *plan = &index->plan;
  size_t sorted = plan->sorted ? plan->sorted->rows.count : 0;
  size_t aside = index->base.count + index->tail.count;
  if (all) return !aside && (!plan->sorted || !plan->sorted->rows.dead);
  if (index->kind == HR_AUTO && plan->mih && !(plan->costs.block > 0)) return false;
  if (index->kind == HR_AUTO && aside <= SCANNED_ROWS) return true;
  return aside <= sorted / ASIDE_SHARE || (aside <= ASIDE_ROWS && sorted);
}

static bool lsh_ready(const hr_index *index) {
  size_t tabled = index->lsh ? hr_lsh_count(index->lsh) : 0, aside = index->base.count - tabled;
  return aside <= ASIDE_ROWS || aside <= tabled / ASIDE_SHARE;
}

bool hr_index_ready(const hr_index *index, bool all) {
  if (sorts(index)) return sorted_ready(index, all);
  if (all) return !index->tail.count && !index->base.dead;
  return index->kind != HR_LSH || lsh_ready(index);
}

/* What takes the place of what an index has; the places that stay empty keep theirs. */
typedef struct {
  hr_plan plan;
  hr_lsh *lsh;
  hr_rows base; /* replaces base and tail */
  bool rows, measured;
} made;

hr_status hr_index_gather(const hr_index *index, hr_rows *out) {
  hr_rows_init(out, index->bits);
  hr_status status = HR_OK;
  if (index->plan.sorted) status = hr_sorted_melt(index->plan.sorted, out);
  for (int place = HR_BASE; !status && place < HR_PLACES; place++) {
    hr_rows copy;
    status = hr_rows_copy(hr_index_rows(index, place), &copy);
    if (status) break;
    status = hr_rows_merge(out, &copy);
    hr_rows_free(&copy);
  }
  if (status) hr_rows_free(out);
  return status;
}

static hr_status build_tables(const hr_index *index, hr_plan *plan) {
  if (index->kind == HR_AUTO && plan->sorted->entries <= SCANNED_ROWS) return HR_OK;
  return hr_mih_build(plan->sorted, index->tables, &plan->mih);
}

static hr_status sort_all(const hr_index *index, made *m) {
  bool first = !index->plan.sorted && !index->tail.count;
  hr_rows all;
  hr_status status = first ? HR_OK : hr_index_gather(index, &all);
  if (status) return status;
  status = hr_sorted_build(first ? &index->base : &all, &m->plan.sorted);
  if (!first) hr_rows_free(&all);
  if (!status) status = build_tables(index, &m->plan);
  if (status) return status;
  hr_rows_init(&m->base, index->bits);
  m->rows = true;
  return HR_OK;
}

static hr_status make(const hr_index *index, bool all, made *m) {
  *m = (made){0};
  if (!sorts(index) && all) {
    m->rows = true;
    return hr_index_gather(index, &m->base);
  }
  if (!sorts(index)) return hr_lsh_build(&index->base, index->tables, &m->lsh);
  hr_status status = HR_OK;
  const hr_plan *plan = &index->plan;
  bool aside = !plan->sorted || index->base.count || index->tail.count || plan->sorted->rows.dead;
  if (aside) status = sort_all(index, m);
  if (!status && index->kind == HR_AUTO) {
    hr_plan known = m->plan.sorted ? m->plan : *plan;
    if (known.mih) status = hr_plan_measure(&known);
    m->plan.costs = known.costs;
    m->measured = true;
  }
  return status;
}

static void discard(made *m) {
  hr_plan_close(&m->plan);
  hr_lsh_free(m->lsh);
  hr_rows_free(&m->base);
}

/* Leaves in `m` what was there before. */
static void put_in_place(hr_index *index, made *m) {
  if (m->plan.sorted) {
    hr_plan before = index->plan;
    index->plan = m->plan;
    m->plan = before;
  } else if (m->measured) {
    index->plan.costs = m->plan.costs;
  }
  if (m->lsh || m->rows) {
    hr_lsh *before = index->lsh;
    index->lsh = m->lsh;
    m->lsh = before;
  }
  if (m->rows) {
    hr_rows before = index->base;
    index->base = m->base;
    m->base = before;
    hr_rows_free(&index->tail);
  }
}

/* Whether it falls to the caller to prepare. */
static bool begin(hr_index *index, bool all) {
  hr_lock_exclusive(&index->lock);
  bool needed = !hr_index_ready(index, all);
  index->preparing = needed;
  hr_unlock_exclusive(&index->lock);
  return needed;
}

hr_status hr_index_prepare(hr_index *index, bool all) {
  hr_status status = HR_OK;
  hr_lock_exclusive(&index->changing);
  if (begin(index, all)) {
    made m;
    hr_lock_shared(&index->lock);
    status = make(index, all, &m);
    hr_unlock_shared(&index->lock);
    hr_lock_exclusive(&index->lock);
    if (!status) put_in_place(index, &m);
    index->preparing = false;
    hr_unlock_exclusive(&index->lock);
    discard(&m);
  }
  hr_unlock_exclusive(&index->changing);
  return status;
}

hr_status hr_read_lock(hr_index *index) {
  for (;;) {
    hr_lock_shared(&index->lock);
    if (index->preparing || hr_index_ready(index, false)) return HR_OK;
    hr_unlock_shared(&index->lock);
    hr_status status = hr_index_prepare(index, false);
    if (status) return status;
  }
}

void hr_read_unlock(hr_index *index) { hr_unlock_shared(&index->lock); }
