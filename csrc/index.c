/* The life of an index: adding, removing, looking up.
 *
 * Ids that follow all present ones are appended to the base. Others gather in
 * a small sorted tail, so that out-of-order adds cost O(tail) and not
 * O(index); a tail that has grown is merged into the base. Removed rows stay,
 * marked dead, until they are a quarter.
 */
#include "index.h"

#include "memory.h"

#define TAIL_ROWS ((size_t)4096)
#define TAIL_SHARE 8 /* the tail may hold an eighth of the base */
#define DEAD_SHARE 4

hr_status hr_index_create(uint32_t bits, hr_kind kind, uint32_t tables, hr_index **out) {
  hr_index *index = hr_alloc_zero(1, sizeof *index);
  if (!index) return HR_NO_MEMORY;
  index->bits = bits;
  index->kind = kind;
  index->tables = tables;
  hr_rows_init(&index->base, bits);
  hr_rows_init(&index->tail, bits);
  if (hr_lock_init(&index->lock)) {
    free(index);
    return HR_NO_MEMORY;
  }
  *out = index;
  return HR_OK;
}

void hr_index_free(hr_index *index) {
  if (!index) return;
  hr_rows_free(&index->base);
  hr_rows_free(&index->tail);
  hr_lsh_free(index->lsh);
  hr_lock_destroy(&index->lock);
  free(index);
}

uint32_t hr_index_bits(const hr_index *index) { return index->bits; }
hr_kind hr_index_kind(const hr_index *index) { return index->kind; }
uint32_t hr_index_tables(const hr_index *index) { return index->tables; }

size_t hr_index_live(const hr_index *index) {
  return index->base.count - index->base.dead + index->tail.count - index->tail.dead;
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

size_t hr_index_bytes(const hr_index *index) {
  hr_lock_shared(lock_of(index));
  size_t bytes = hr_rows_bytes(&index->base) + hr_rows_bytes(&index->tail) +
                 (index->lsh ? hr_lsh_bytes(index->lsh) : 0);
  hr_unlock_shared(lock_of(index));
  return bytes;
}

/* --- looking up --------------------------------------------------------------- */

static hr_rows *locate(hr_index *index, int64_t id, size_t *row) {
  if ((*row = hr_rows_find(&index->base, id)) != HR_NO_ROW) return &index->base;
  if ((*row = hr_rows_find(&index->tail, id)) != HR_NO_ROW) return &index->tail;
  return NULL;
}

bool hr_index_contains(hr_index *index, int64_t id) {
  size_t row;
  hr_lock_shared(&index->lock);
  bool found = locate(index, id, &row) != NULL;
  hr_unlock_shared(&index->lock);
  return found;
}

static hr_status get_all(hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                         int64_t *culprit) {
  for (size_t i = 0; i < n; i++) {
    size_t row;
    hr_rows *rows = locate(index, ids[i], &row);
    if (!rows) {
      *culprit = ids[i];
      return HR_UNKNOWN_ID;
    }
    hr_rows_code(rows, row, codes + i * ((index->bits + 7) / 8));
  }
  return HR_OK;
}

hr_status hr_index_get(hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                       int64_t *culprit) {
  hr_lock_shared(&index->lock);
  hr_status status = get_all(index, ids, n, codes, culprit);
  hr_unlock_shared(&index->lock);
  return status;
}

static void copy_ids(const hr_index *index, int64_t *out) {
  const hr_rows *base = &index->base, *tail = &index->tail;
  size_t a = 0, b = 0;
  while (a < base->count || b < tail->count) {
    bool first = b == tail->count || (a < base->count && hr_rows_id(base, a) < hr_rows_id(tail, b));
    const hr_rows *rows = first ? base : tail;
    size_t row = first ? a++ : b++;
    if (hr_rows_alive(rows, row)) *out++ = hr_rows_id(rows, row);
  }
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
  const hr_rows **rows; /* open addressing: NULL is empty */
  uint32_t *row;
  size_t mask, size;
} code_set;

static size_t code_hash(const hr_rows *rows, size_t row) {
  uint64_t hash = 0;
  for (size_t w = 0; w < rows->words; w++)
    hash = (hash ^ hr_rows_word(rows, row, w)) * 0x9E3779B97F4A7C15u ^ hash >> 29;
  return (size_t)(hash ^ hash >> 32);
}

static bool same_code(const hr_rows *a, size_t row_a, const hr_rows *b, size_t row_b) {
  for (size_t w = 0; w < a->words; w++)
    if (hr_rows_word(a, row_a, w) != hr_rows_word(b, row_b, w)) return false;
  return true;
}

static void insert_codes(code_set *set, const hr_rows *rows) {
  for (size_t row = 0; row < rows->count; row++) {
    if (!hr_rows_alive(rows, row)) continue;
    size_t at = code_hash(rows, row) & set->mask;
    while (set->rows[at] && !same_code(set->rows[at], set->row[at], rows, row))
      at = (at + 1) & set->mask;
    if (set->rows[at]) continue;
    set->rows[at] = rows;
    set->row[at] = (uint32_t)row;
    set->size++;
  }
}

hr_status hr_index_distinct(hr_index *index, size_t *out) {
  hr_lock_shared(&index->lock);
  size_t slots = 16;
  while (slots < 2 * hr_index_live(index)) slots *= 2;
  code_set set = {hr_alloc_zero(slots, sizeof *set.rows), hr_alloc(slots, sizeof *set.row),
                  slots - 1, 0};
  hr_status status = set.rows && set.row ? HR_OK : HR_NO_MEMORY;
  if (!status) {
    insert_codes(&set, &index->base);
    insert_codes(&set, &index->tail);
    *out = set.size;
  }
  hr_unlock_shared(&index->lock);
  free(set.rows);
  free(set.row);
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

static bool follows(const hr_rows *rows, int64_t id) {
  return !rows->count || id > hr_rows_id(rows, rows->count - 1);
}

hr_status hr_index_flush(hr_index *index) {
  if (!index->tail.count && !index->base.dead) return HR_OK;
  hr_status status = hr_rows_merge(&index->base, &index->tail);
  if (!status) {
    hr_lsh_free(index->lsh); /* rows have moved */
    index->lsh = NULL;
  }
  return status;
}

/* Keeps the tail and the dead few. Running out of memory here loses nothing. */
static void tidy(hr_index *index) {
  size_t tail = index->tail.count, base = index->base.count;
  size_t dead = index->base.dead + index->tail.dead;
  if ((tail > TAIL_ROWS && tail > base / TAIL_SHARE) ||
      (dead > TAIL_ROWS && dead > (base + tail) / DEAD_SHARE) || (dead && !hr_index_live(index)))
    (void)hr_index_flush(index);
}

static hr_status insert_tail(hr_index *index, const batch *b, size_t n) {
  hr_rows fresh;
  hr_rows_init(&fresh, index->bits);
  hr_status status = hr_rows_append(&fresh, b->codes, b->ids, n);
  if (!status) status = hr_rows_merge(&index->tail, &fresh);
  if (status) hr_rows_free(&fresh);
  return status;
}

static hr_status insert(hr_index *index, const batch *b, size_t n) {
  if (n > HR_MAX_ROWS - hr_index_live(index)) return HR_TOO_MANY_ROWS;
  hr_status status;
  if (!index->tail.count && follows(&index->base, b->ids[0]))
    status = hr_rows_append(&index->base, b->codes, b->ids, n);
  else if (follows(&index->tail, b->ids[0]))
    status = hr_rows_append(&index->tail, b->codes, b->ids, n);
  else
    status = insert_tail(index, b, n);
  if (status) return status;
  int64_t last = b->ids[n - 1];
  if (last >= index->next_id) index->next_id = last == INT64_MAX ? last : last + 1;
  return HR_OK;
}

static hr_status check_new(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  if (follows(&index->base, b->ids[0]) && follows(&index->tail, b->ids[0])) return HR_OK;
  for (size_t i = 0; i < n; i++) {
    size_t row;
    if (!locate(index, b->ids[i], &row)) continue;
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
  hr_lock_exclusive(&index->lock);
  status = make(index, &b, n, culprit);
  if (!status) tidy(index);
  hr_unlock_exclusive(&index->lock);
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

static hr_status kill_all(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  for (size_t i = 0; i < n; i++) {
    size_t row;
    if (locate(index, b->ids[i], &row)) continue;
    *culprit = b->ids[i];
    return HR_UNKNOWN_ID;
  }
  hr_status status = hr_rows_make_live(&index->base);
  if (!status) status = hr_rows_make_live(&index->tail);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    hr_rows *rows = locate(index, b->ids[i], &row);
    hr_rows_kill(rows, row);
  }
  return status;
}

hr_status hr_index_remove(hr_index *index, const int64_t *ids, size_t n, int64_t *culprit) {
  return apply(index, kill_all, NULL, ids, n, culprit);
}

/* A row that the tables list under its present code cannot change in place. */
static bool tabled(const hr_index *index, const hr_rows *rows, size_t row) {
  return index->lsh && rows == &index->base && row < hr_lsh_count(index->lsh);
}

/* Puts the new codes of tabled rows into the tail; the old rows still count. */
static hr_status rewrite_tabled(hr_index *index, const batch *b, size_t n) {
  hr_rows moved;
  hr_rows_init(&moved, index->bits);
  hr_status status = HR_OK;
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    const hr_rows *rows = locate(index, b->ids[i], &row);
    if (tabled(index, rows, row))
      status = hr_rows_append(&moved, b->codes + i * ((index->bits + 7) / 8), b->ids + i, 1);
  }
  if (!status && moved.count) {
    status = hr_rows_make_live(&index->base);
    if (!status) status = hr_rows_merge(&index->tail, &moved);
  }
  hr_rows_free(&moved);
  return status;
}

static hr_status overwrite(hr_index *index, const batch *b, size_t n, int64_t *culprit) {
  size_t row;
  for (size_t i = 0; i < n; i++)
    if (!locate(index, b->ids[i], &row)) {
      *culprit = b->ids[i];
      return HR_UNKNOWN_ID;
    }
  hr_status status = hr_rows_own(&index->base);
  if (!status) status = rewrite_tabled(index, b, n);
  for (size_t i = 0; !status && i < n; i++) {
    hr_rows *rows = locate(index, b->ids[i], &row);
    if (tabled(index, rows, row))
      hr_rows_kill(rows, row);
    else
      hr_rows_set_code(rows, row, b->codes + i * ((index->bits + 7) / 8));
  }
  return status;
}

hr_status hr_index_update(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                          int64_t *culprit) {
  return apply(index, overwrite, codes, ids, n, culprit);
}
