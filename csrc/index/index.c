/* The life of an index: adding, removing, looking up.
 *
 * Ids that follow all present ones are appended to the base. Others gather in
 * a small sorted tail, so that out-of-order adds cost O(tail) and not
 * O(index); a tail that has grown is merged into the base. Kinds that search
 * sorted codes move base and tail there once these are an eighth (prepare.c).
 * Removed rows stay, marked dead, until they are a quarter.
 */
#include "index/internal.h"

#include "base/memory.h"

#define DELTA_ROWS ((size_t)4096)
#define DELTA_SHARE 8 /* the tail may hold an eighth of the base */
#define TOMBSTONE_SHARE 4

hr_status hr_index_create(uint32_t bits, hr_kind kind, uint32_t tables, hr_index **out) {
  hr_index *index = hr_alloc_zero(1, sizeof *index);
  if (!index) return HR_NO_MEMORY;
  index->bits = bits;
  index->kind = kind;
  index->tables = tables;
  hr_segment_init(&index->base, bits);
  hr_segment_init(&index->tail, bits);
  bool first = !hr_lock_init(&index->lock);
  if (!first || hr_lock_init(&index->changing)) {
    if (first) hr_lock_destroy(&index->lock);
    free(index);
    return HR_NO_MEMORY;
  }
  *out = index;
  return HR_OK;
}

void hr_index_free(hr_index *index) {
  if (!index) return;
  hr_plan_close(&index->plan);
  hr_segment_free(&index->base);
  hr_segment_free(&index->tail);
  hr_lsh_free(index->lsh);
  hr_lock_destroy(&index->lock);
  hr_lock_destroy(&index->changing);
  free(index);
}

void hr_index_lock(hr_index *index) {
  hr_waiters_add(&index->wanting, 1);
  hr_lock_exclusive(&index->lock);
  hr_waiters_add(&index->wanting, -1);
}

void hr_index_unlock(hr_index *index) { hr_unlock_exclusive(&index->lock); }

bool hr_index_wanted(const hr_index *index) { return hr_waiters_any(&index->wanting); }

/* --- forks --------------------------------------------------------------------- */

/* While it is held shared nobody can be changing the index, not even while the kernel copies
 * the process, page after page: a flag set by those who change it would not tell that. */
bool hr_index_before_fork(hr_index *index, int milliseconds) {
  while (!hr_lock_try_shared(&index->lock)) {
    if (!milliseconds--) return false;
    hr_sleep_ms();
  }
  return true;
}

void hr_index_after_fork(hr_index *index) { hr_unlock_shared(&index->lock); }

/* The threads that held the locks, or prepared, are not in the child. */
hr_status hr_index_in_child(hr_index *index) {
  index->preparing = false;
  index->wanting = (hr_waiters){0};
  return hr_lock_init(&index->lock) || hr_lock_init(&index->changing) ? HR_NO_MEMORY : HR_OK;
}

/* --- looking at it --------------------------------------------------------------- */

uint32_t hr_index_bits(const hr_index *index) { return index->bits; }
hr_kind hr_index_kind(const hr_index *index) { return index->kind; }
uint32_t hr_index_tables(const hr_index *index) { return index->tables; }

const hr_segment *hr_index_rows(const hr_index *index, int place) {
  if (place == HR_SORTED) return index->plan.sorted ? &index->plan.sorted->rows : NULL;
  return place == HR_MAIN ? &index->base : &index->tail;
}

size_t hr_index_live(const hr_index *index) {
  size_t live = 0;
  for (int place = 0; place < HR_SEGMENTS; place++) {
    const hr_segment *rows = hr_index_rows(index, place);
    if (rows) live += rows->count - rows->dead;
  }
  return live;
}

/* The lock is the only part of a const index that changes. */
static hr_lock *lock_of(const hr_index *index) { return &((hr_index *)index)->lock; }

size_t hr_index_count(const hr_index *index) {
  hr_lock_shared(lock_of(index));
  size_t count = hr_index_live(index);
  hr_unlock_shared(lock_of(index));
  return count;
}

int64_t hr_index_next_id(const hr_index *index) {
  hr_lock_shared(lock_of(index));
  int64_t next = index->next_id;
  hr_unlock_shared(lock_of(index));
  return next;
}

static size_t bytes_of(const hr_index *index) {
  return hr_segment_bytes(&index->base) + hr_segment_bytes(&index->tail) +
         (index->lsh ? hr_lsh_bytes(index->lsh) : 0) + hr_plan_bytes(&index->plan);
}

/* --- looking up --------------------------------------------------------------- */

int hr_index_locate(const hr_index *index, int64_t id, size_t *row) {
  for (int place = 0; place < HR_SEGMENTS; place++) {
    const hr_segment *rows = hr_index_rows(index, place);
    if (rows && (*row = hr_segment_find(rows, id)) != HR_NO_ROW) return place;
  }
  return -1;
}

/* The same rows, to be changed. */
static hr_segment *rows_of(hr_index *index, int place) {
  return (hr_segment *)hr_index_rows(index, place);
}

hr_cursor hr_cursor_open(const hr_index *index) {
  hr_cursor cursor = {{0}, {0}};
  for (int place = 0; place < HR_SEGMENTS; place++)
    cursor.rows[place] = hr_index_rows(index, place);
  return cursor;
}

int hr_cursor_next(hr_cursor *cursor, size_t *row) {
  int next = -1;
  int64_t least = 0;
  for (int place = 0; place < HR_SEGMENTS; place++) {
    const hr_segment *rows = cursor->rows[place];
    if (!rows || cursor->at[place] == rows->count) continue;
    int64_t id = hr_segment_id(rows, cursor->at[place]);
    if (next >= 0 && id >= least) continue;
    next = place;
    least = id;
  }
  if (next >= 0) *row = cursor->at[next]++;
  return next;
}

bool hr_index_contains(hr_index *index, int64_t id) {
  size_t row;
  hr_lock_shared(&index->lock);
  bool found = hr_index_locate(index, id, &row) >= 0;
  hr_unlock_shared(&index->lock);
  return found;
}

static hr_status get_all(const hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                         int64_t *culprit) {
  for (size_t i = 0; i < n; i++) {
    size_t row;
    uint8_t *code = codes + i * ((index->bits + 7) / 8);
    int place = hr_index_locate(index, ids[i], &row);
    if (place < 0) {
      *culprit = ids[i];
      return HR_UNKNOWN_ID;
    }
    if (place == HR_SORTED)
      hr_postings_code(index->plan.sorted, row, code);
    else
      hr_segment_code(hr_index_rows(index, place), row, code);
  }
  return HR_OK;
}

/* Sorted codes are found by row through a list that is made when first asked for. */
static bool listed(const hr_index *index) {
  return !index->plan.sorted || index->plan.sorted->place;
}

static hr_status list_codes(hr_index *index) {
  hr_index_lock(index);
  hr_status status = listed(index) ? HR_OK : hr_postings_invert(index->plan.sorted);
  hr_index_unlock(index);
  return status;
}

hr_status hr_index_get(hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                       int64_t *culprit) {
  for (;;) {
    hr_lock_shared(&index->lock);
    bool found = listed(index);
    hr_status status = found ? get_all(index, ids, n, codes, culprit) : HR_OK;
    hr_unlock_shared(&index->lock);
    if (found || (status = list_codes(index))) return status;
  }
}

static void copy_ids(const hr_index *index, int64_t *out) {
  hr_cursor cursor = hr_cursor_open(index);
  size_t row;
  for (int place; (place = hr_cursor_next(&cursor, &row)) >= 0;)
    if (hr_segment_is_live(cursor.rows[place], row))
      *out++ = hr_segment_id(cursor.rows[place], row);
}

size_t hr_index_ids(hr_index *index, int64_t *out, size_t room) {
  hr_lock_shared(&index->lock);
  size_t count = hr_index_live(index);
  if (count <= room) copy_ids(index, out);
  hr_unlock_shared(&index->lock);
  return count;
}

/* --- distinct codes -------------------------------------------------------------- */

typedef struct {
  const uint64_t **codes; /* words HR_LANES apart; open addressing: NULL is empty */
  size_t words, mask, size;
} code_set;

static size_t code_hash(const code_set *set, const uint64_t *code) {
  uint64_t hash = 0;
  for (size_t w = 0; w < set->words; w++)
    hash = (hash ^ code[w * HR_LANES]) * 0x9E3779B97F4A7C15u ^ hash >> 29;
  return (size_t)(hash ^ hash >> 32);
}

static bool same_code(const code_set *set, const uint64_t *a, const uint64_t *b) {
  for (size_t w = 0; w < set->words; w++)
    if (a[w * HR_LANES] != b[w * HR_LANES]) return false;
  return true;
}

static void insert_code(code_set *set, const uint64_t *code) {
  size_t at = code_hash(set, code) & set->mask;
  while (set->codes[at] && !same_code(set, set->codes[at], code)) at = (at + 1) & set->mask;
  set->size += !set->codes[at];
  set->codes[at] = code;
}

static void insert_rows(code_set *set, const hr_segment *rows) {
  for (size_t row = 0; row < rows->count; row++)
    if (hr_segment_is_live(rows, row)) insert_code(set, hr_segment_words(rows, row));
}

static void insert_sorted(code_set *set, const hr_postings *sorted) {
  for (size_t entry = 0; entry < sorted->entries; entry++)
    if (hr_postings_is_live(sorted, entry)) insert_code(set, hr_postings_entry(sorted, entry));
}

static hr_status count_distinct(const hr_index *index, size_t *out) {
  const hr_postings *sorted = index->plan.sorted;
  if (sorted && !sorted->rows.dead && !index->base.count && !index->tail.count) {
    *out = hr_postings_distinct(sorted);
    return HR_OK;
  }
  size_t slots = 16;
  while (slots < 2 * hr_index_live(index)) slots *= 2;
  code_set set = {hr_alloc_zero(slots, sizeof *set.codes), (index->bits + 63) / 64, slots - 1, 0};
  if (!set.codes) return HR_NO_MEMORY;
  if (index->plan.sorted) insert_sorted(&set, index->plan.sorted);
  insert_rows(&set, &index->base);
  insert_rows(&set, &index->tail);
  *out = set.size;
  free((void *)set.codes);
  return HR_OK;
}

hr_status hr_index_stats(hr_index *index, hr_stats *out) {
  hr_lock_shared(&index->lock);
  out->count = hr_index_live(index);
  out->bytes = bytes_of(index);
  hr_status status = count_distinct(index, &out->distinct);
  hr_unlock_shared(&index->lock);
  return status;
}

/* --- under the read lock ---------------------------------------------------------- */

hr_status hr_read_lock_codes(hr_index *index) {
  for (;;) {
    hr_status status = hr_read_lock(index);
    if (status || listed(index)) return status;
    hr_read_unlock(index);
    if ((status = list_codes(index))) return status;
  }
}

size_t hr_read_count(const hr_index *index) { return hr_index_live(index); }

void hr_read_ids(const hr_index *index, int64_t *out) { copy_ids(index, out); }

hr_status hr_read_codes(const hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                        int64_t *culprit) {
  return get_all(index, ids, n, codes, culprit);
}

hr_status hr_read_copy(const hr_index *index, hr_index **out) {
  hr_index *copy;
  hr_status status = hr_index_create(index->bits, index->kind, index->tables, &copy);
  if (status) return status;
  copy->next_id = index->next_id;
  status = hr_index_gather(index, &copy->base);
  if (status)
    hr_index_free(copy);
  else
    *out = copy;
  return status;
}

/* --- adding -------------------------------------------------------------------- */

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
} placed;

static int by_id(const void *left, const void *right) {
  const placed *a = left, *b = right;
  if (a->id != b->id) return a->id < b->id ? -1 : 1;
  return a->position < b->position ? -1 : a->position > b->position;
}

static void batch_close(batch *b) {
  free(b->own_codes);
  free(b->own_ids);
}

static hr_status batch_sort(batch *b, const uint8_t *codes, const int64_t *ids, size_t n,
                            size_t bytes) {
  placed *order = hr_alloc(n, sizeof *order);
  b->own_codes = hr_alloc(n, bytes);
  b->own_ids = hr_alloc(n, sizeof *ids);
  if (!order || !b->own_codes || !b->own_ids) {
    free(order);
    return HR_NO_MEMORY;
  }
  for (size_t i = 0; i < n; i++) order[i] = (placed){ids[i], i};
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
  if (!index->tail.count && !index->base.dead) return HR_OK;
  hr_status status = hr_segment_merge(&index->base, &index->tail);
  if (!status) {
    hr_lsh_free(index->lsh); /* rows have moved */
    index->lsh = NULL;
  }
  return status;
}

/* Puts the sorted codes back among the others, live ones only: the next search sorts anew. */
static hr_status melt(hr_index *index) {
  hr_status status = hr_postings_unsort(index->plan.sorted, &index->base);
  if (!status) hr_plan_close(&index->plan);
  return status;
}

/* Keeps the tail and the dead few. Running out of memory here loses nothing. */
static void tidy(hr_index *index) {
  size_t tail = index->tail.count, base = index->base.count;
  size_t dead = index->base.dead + index->tail.dead;
  bool gone = !hr_index_live(index);
  if ((tail > DELTA_ROWS && tail > base / DELTA_SHARE) ||
      (dead > DELTA_ROWS && dead > (base + tail) / TOMBSTONE_SHARE) || (dead && gone))
    (void)flush(index);
  const hr_segment *sorted = hr_index_rows(index, HR_SORTED);
  if (sorted && sorted->dead && (gone || sorted->dead > sorted->count / TOMBSTONE_SHARE))
    (void)melt(index);
}

static hr_status insert_tail(hr_index *index, const batch *b, size_t n) {
  hr_segment fresh;
  hr_segment_init(&fresh, index->bits);
  hr_status status = hr_segment_append(&fresh, b->codes, b->ids, n);
  if (!status) status = hr_segment_merge(&index->tail, &fresh);
  if (status) hr_segment_free(&fresh);
  return status;
}

static hr_status insert(hr_index *index, const batch *b, size_t n) {
  if (n > HR_MAX_ROWS - hr_index_live(index)) return HR_TOO_MANY_ROWS;
  hr_status status;
  if (!index->tail.count && follows(&index->base, b->ids[0]))
    status = hr_segment_append(&index->base, b->codes, b->ids, n);
  else if (follows(&index->tail, b->ids[0]))
    status = hr_segment_append(&index->tail, b->codes, b->ids, n);
  else
    status = insert_tail(index, b, n);
  if (status) return status;
  int64_t last = b->ids[n - 1];
  if (last >= index->next_id) index->next_id = last == INT64_MAX ? last : last + 1;
  return HR_OK;
}

static hr_status check_new(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  bool last = true;
  for (int place = 0; place < HR_SEGMENTS; place++) {
    const hr_segment *rows = hr_index_rows(index, place);
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

/* A change under the exclusive lock; it fails before it has changed anything. */
typedef hr_status change(hr_index *index, const batch *b, size_t n, int64_t *culprit);

static hr_status apply(hr_index *index, change *make, const uint8_t *codes, const int64_t *ids,
                       size_t n, int64_t *culprit) {
  if (!n) return HR_OK;
  batch b;
  size_t bytes = codes ? (index->bits + 7) / 8 : 0;
  hr_status status = batch_open(&b, codes, ids, n, bytes, culprit);
  if (status) return status;
  hr_lock_exclusive(&index->changing);
  hr_index_lock(index);
  status = make(index, &b, n, culprit);
  if (!status) tidy(index);
  hr_index_unlock(index);
  hr_unlock_exclusive(&index->changing);
  batch_close(&b);
  return status;
}

static hr_status add(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  hr_status status = check_new(index, b, n, culprit);
  return status ? status : insert(index, b, n);
}

hr_status hr_index_add(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                       int64_t *culprit) {
  return apply(index, add, codes, ids, n, culprit);
}

/* --- removing ------------------------------------------------------------------- */

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

static hr_status make_live(hr_index *index) {
  hr_status status = HR_OK;
  for (int place = 0; !status && place < HR_SEGMENTS; place++)
    if (hr_index_rows(index, place)) status = hr_segment_open_live(rows_of(index, place));
  return status;
}

static hr_status kill_all(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  hr_status status = check_known(index, b, n, culprit);
  if (!status) status = make_live(index);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    int place = hr_index_locate(index, b->ids[i], &row);
    hr_segment_delete(rows_of(index, place), row);
  }
  return status;
}

hr_status hr_index_remove(hr_index *index, const int64_t *ids, size_t n, int64_t *culprit) {
  return apply(index, kill_all, NULL, ids, n, culprit);
}

/* A row that tables list under its present code cannot change in place. */
static bool tabled(const hr_index *index, int place, size_t row) {
  return place == HR_SORTED || (place == HR_MAIN && index->lsh && row < hr_lsh_count(index->lsh));
}

/* Puts the new codes of tabled rows into the tail; the old rows still count. */
static hr_status rewrite_tabled(hr_index *index, const batch *b, size_t n) {
  hr_segment moved;
  hr_segment_init(&moved, index->bits);
  hr_status status = HR_OK;
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    int place = hr_index_locate(index, b->ids[i], &row);
    if (tabled(index, place, row))
      status = hr_segment_append(&moved, b->codes + i * ((index->bits + 7) / 8), b->ids + i, 1);
  }
  if (!status && moved.count) {
    status = make_live(index);
    if (!status) status = hr_segment_merge(&index->tail, &moved);
  }
  hr_segment_free(&moved);
  return status;
}

static hr_status overwrite(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  hr_status status = check_known(index, b, n, culprit);
  if (!status) status = hr_segment_own(&index->base);
  if (!status) status = rewrite_tabled(index, b, n);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    /* A tabled row is found before its successor in the tail. */
    int place = hr_index_locate(index, b->ids[i], &row);
    if (tabled(index, place, row))
      hr_segment_delete(rows_of(index, place), row);
    else
      hr_segment_set_code(rows_of(index, place), row, b->codes + i * ((index->bits + 7) / 8));
  }
  return status;
}

hr_status hr_index_update(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                          int64_t *culprit) {
  return apply(index, overwrite, codes, ids, n, culprit);
}
