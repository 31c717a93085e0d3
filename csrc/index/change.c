/* Changing an index: adding, removing, replacing.
 *
 * Ids that follow all present ones are appended to the main segment. Others gather in a small one,
 * the delta, sorted by id too, so that out-of-order adds cost O(delta) and not O(index); a delta
 * that has grown is merged into main. Kinds that search sorted codes move main and delta there once
 * these are an eighth (build.c). Removed rows stay, as tombstones, until they are a quarter.
 */
#include "base/memory.h"
#include "index/internal.h"
#include "storage/blocks.h"

#define DELTA_ROWS ((size_t)4096)
#define DELTA_SHARE 8 /* delta may hold an eighth of main */

/* The rows of a segment, to be changed. */
static hr_segment *rows_of(hr_index *index, int segment) {
  return (hr_segment *)hr_index_segment(index, segment);
}

/* Ids and their codes, if any, sorted by id. Borrows the caller's arrays when they
 * are sorted already. */
typedef struct {
  const uint8_t *codes;
  const int64_t *ids;
  uint8_t *own_codes;
  int64_t *own_ids;
} batch;

typedef struct {
  int64_t id;
  size_t position;
} numbered;

static int by_id(const void *left, const void *right) {
  const numbered *a = left, *b = right;
  if (a->id != b->id) return a->id < b->id ? -1 : 1;
  return a->position < b->position ? -1 : a->position > b->position;
}

static void batch_close(batch *b) {
  free(b->own_codes);
  free(b->own_ids);
}

static hr_status batch_sort(batch *b, const uint8_t *codes, const int64_t *ids, size_t n,
                            size_t bytes) {
  numbered *order = hr_alloc(n, sizeof *order);
  b->own_codes = hr_alloc(n, bytes);
  b->own_ids = hr_alloc(n, sizeof *ids);
  if (!order || !b->own_codes || !b->own_ids) {
    free(order);
    return HR_NO_MEMORY;
  }
  for (size_t i = 0; i < n; i++) order[i] = (numbered){ids[i], i};
  qsort(order, n, sizeof *order, by_id);
  for (size_t i = 0; i < n; i++) {
    b->own_ids[i] = order[i].id;
    if (bytes) memcpy(b->own_codes + i * bytes, codes + order[i].position * bytes, bytes);
  }
  free(order);
  b->codes = b->own_codes;
  b->ids = b->own_ids;
  return HR_OK;
}

static hr_status batch_open(batch *b, const uint8_t *codes, const int64_t *ids, size_t n,
                            size_t bytes, int64_t *culprit) {
  *b = (batch){.codes = codes, .ids = ids};
  bool sorted = true;
  for (size_t i = 1; i < n && sorted; i++) sorted = ids[i - 1] < ids[i];
  if (sorted) return HR_OK;
  hr_status status = batch_sort(b, codes, ids, n, bytes);
  for (size_t i = 1; !status && i < n; i++) {
    if (b->ids[i - 1] != b->ids[i]) continue;
    *culprit = b->ids[i];
    status = HR_REPEATED_ID;
  }
  if (status) batch_close(b);
  return status;
}

static bool follows(const hr_segment *rows, int64_t id) {
  return !rows->count || id > hr_segment_id(rows, rows->count - 1);
}

static hr_status flush(hr_index *index) {
  if (!index->delta.count && !index->main.tombstones) return HR_OK;
  hr_status status = hr_segment_merge(&index->main, &index->delta);
  if (status) return status;
  hr_segment_free(&index->delta);
  hr_lsh_free(index->lsh); /* rows have moved */
  index->lsh = NULL;
  return HR_OK;
}

/* Nothing is left of what was sorted or waits for it. */
static void drop_sorted(hr_index *index) {
  hr_mih_free(index->mih);
  hr_ivf_free(index->ivf);
  hr_postings_free(index->postings);
  hr_segment_free(&index->frozen[0]);
  hr_segment_free(&index->frozen[1]);
  index->mih = NULL;
  index->ivf = NULL;
  index->postings = NULL;
  index->replaced++;
  index->planner.costs = (hr_costs){0};
}

/* Keeps the delta and the tombstones few. Running out of memory here loses nothing. */
static void compact(hr_index *index) {
  size_t delta = index->delta.count, main = index->main.count;
  size_t removed = index->main.tombstones + index->delta.tombstones;
  bool gone = !hr_index_live(index);
  if ((delta > DELTA_ROWS && delta > main / DELTA_SHARE) ||
      hr_index_too_many_removed(removed, main + delta) || (removed && gone))
    (void)flush(index);
  if (gone && !index->preparing) drop_sorted(index);
}

static hr_status insert_delta(hr_index *index, const batch *b, size_t n) {
  hr_segment fresh;
  hr_segment_init(&fresh, index->bits);
  hr_status status = hr_segment_append(&fresh, b->codes, b->ids, n);
  if (!status) status = hr_segment_merge(&index->delta, &fresh);
  hr_segment_free(&fresh);
  return status;
}

static hr_status insert(hr_index *index, const batch *b, size_t n) {
  if (n > HR_MAX_ROWS - hr_index_live(index)) return HR_TOO_MANY_ROWS;
  hr_status status;
  if (!index->delta.count && follows(&index->main, b->ids[0]))
    status = hr_segment_append(&index->main, b->codes, b->ids, n);
  else if (follows(&index->delta, b->ids[0]))
    status = hr_segment_append(&index->delta, b->codes, b->ids, n);
  else
    status = insert_delta(index, b, n);
  if (status) return status;
  int64_t last = b->ids[n - 1];
  if (last >= index->next_id) index->next_id = last == INT64_MAX ? last : last + 1;
  return HR_OK;
}

static hr_status check_new(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  bool last = true;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    last = last && (!rows || follows(rows, b->ids[0]));
  }
  for (size_t i = 0; i < n && !last; i++) {
    size_t row;
    if (hr_index_locate(index, b->ids[i], &row) < 0) continue;
    *culprit = b->ids[i];
    return HR_REPEATED_ID;
  }
  return HR_OK;
}

/* So many rows take some milliseconds to be copied. */
#define MANY_ROWS ((size_t)1 << 16)

/* Makes room for n more rows in main while others read: the change itself would keep them waiting
 * until all rows are copied. Only a merge may take main away meanwhile, as it freezes it. */
static void make_room(hr_index *index, size_t n) {
  hr_segment larger;
  hr_segment_init(&larger, index->bits);
  hr_lock_shared(&index->lock);
  const uint64_t *blocks = index->main.blocks;
  hr_status status = HR_OK;
  if (index->main.count >= MANY_ROWS && !index->delta.count)
    status = hr_segment_with_room(&index->main, n, &larger);
  hr_unlock_shared(&index->lock);
  if (status || !larger.blocks) return;
  hr_index_lock(index);
  if (index->main.blocks == blocks) {
    hr_segment before = index->main;
    index->main = larger;
    larger = before;
  }
  hr_index_unlock(index);
  hr_segment_free(&larger);
}

/* A change under the exclusive lock; it fails before it has changed anything. */
typedef hr_status change(hr_index *index, const batch *b, size_t n, int64_t *culprit);

static hr_status change_alone(hr_index *index, change *make, const batch *b, size_t n,
                              int64_t *culprit) {
  hr_index_lock(index);
  hr_status status = make(index, b, n, culprit);
  if (!status) compact(index);
  hr_index_unlock(index);
  return status;
}

static hr_status add(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  hr_status status = check_new(index, b, n, culprit);
  return status ? status : insert(index, b, n);
}

static hr_status apply(hr_index *index, change *make, const uint8_t *codes, const int64_t *ids,
                       size_t n, int64_t *culprit) {
  if (!n) return HR_OK;
  batch b;
  size_t bytes = codes ? (index->bits + 7) / 8 : 0;
  hr_status status = batch_open(&b, codes, ids, n, bytes, culprit);
  if (status) return status;
  hr_lock_exclusive(&index->changing);
  if (make == add) make_room(index, n);
  status = change_alone(index, make, &b, n, culprit);
  hr_unlock_exclusive(&index->changing);
  batch_close(&b);
  return status;
}

hr_status hr_index_add(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                       int64_t *culprit) {
  return apply(index, add, codes, ids, n, culprit);
}

static hr_status next_ids(const hr_index *index, int64_t *ids, size_t n, int64_t *culprit) {
  int64_t next = index->next_id;
  if (n > (uint64_t)(INT64_MAX - next)) {
    *culprit = next - 1;
    return HR_NO_IDS;
  }
  for (size_t i = 0; i < n; i++) ids[i] = next + (int64_t)i;
  return HR_OK;
}

hr_status hr_index_append(hr_index *index, const uint8_t *codes, size_t n, int64_t *ids,
                          int64_t *culprit) {
  if (!n) return HR_OK;
  batch b = {.codes = codes, .ids = ids};
  hr_lock_exclusive(&index->changing);
  hr_status status = next_ids(index, ids, n, culprit);
  if (!status) make_room(index, n);
  if (!status) status = change_alone(index, add, &b, n, culprit);
  hr_unlock_exclusive(&index->changing);
  return status;
}

/* HR_UNKNOWN_ID, with the id, unless all are present. */
static hr_status check_known(const hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  for (size_t i = 0; i < n; i++) {
    size_t row;
    if (hr_index_locate(index, b->ids[i], &row) >= 0) continue;
    *culprit = b->ids[i];
    return HR_UNKNOWN_ID;
  }
  return HR_OK;
}

static hr_status open_live(hr_index *index) {
  hr_status status = HR_OK;
  for (int segment = 0; !status && segment < HR_SEGMENTS; segment++)
    if (hr_index_segment(index, segment)) status = hr_segment_open_live(rows_of(index, segment));
  return status;
}

static hr_status delete_all(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  hr_status status = check_known(index, b, n, culprit);
  if (!status) status = open_live(index);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    int segment = hr_index_locate(index, b->ids[i], &row);
    hr_segment_delete(rows_of(index, segment), row);
  }
  return status;
}

hr_status hr_index_remove(hr_index *index, const int64_t *ids, size_t n, int64_t *culprit) {
  return apply(index, delete_all, NULL, ids, n, culprit);
}

/* A row that tables list, or will list, under its present code cannot change in place. */
static bool is_listed(const hr_index *index, int segment, size_t row) {
  return segment < HR_MAIN || (segment == HR_MAIN && index->lsh && row < hr_lsh_count(index->lsh));
}

/* Puts the new codes of listed rows into the delta; the old rows still count. */
static hr_status rewrite_listed(hr_index *index, const batch *b, size_t n) {
  hr_segment moved;
  hr_segment_init(&moved, index->bits);
  hr_status status = HR_OK;
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    int segment = hr_index_locate(index, b->ids[i], &row);
    if (is_listed(index, segment, row))
      status = hr_segment_append(&moved, b->codes + i * ((index->bits + 7) / 8), b->ids + i, 1);
  }
  if (!status && moved.count) {
    status = open_live(index);
    if (!status) status = hr_segment_merge(&index->delta, &moved);
  }
  hr_segment_free(&moved);
  return status;
}

static hr_status overwrite(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  hr_status status = check_known(index, b, n, culprit);
  if (!status) status = hr_segment_own(&index->main);
  if (!status) status = rewrite_listed(index, b, n);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    /* A listed row is found before its successor in the delta. */
    int segment = hr_index_locate(index, b->ids[i], &row);
    if (is_listed(index, segment, row))
      hr_segment_delete(rows_of(index, segment), row);
    else
      hr_blocks_fill(rows_of(index, segment)->blocks, index->bits, row,
                     b->codes + i * ((index->bits + 7) / 8), 1);
  }
  return status;
}

hr_status hr_index_update(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                          int64_t *culprit) {
  return apply(index, overwrite, codes, ids, n, culprit);
}
