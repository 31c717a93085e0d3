/* An index from its beginning to its end, looked at from outside. */
#include "index/internal.h"

#include "base/memory.h"
#include "storage/blocks.h"

hr_status hr_index_create(uint32_t bits, hr_kind kind, uint32_t tables, hr_index **out) {
  hr_index *index = hr_alloc_zero(1, sizeof *index);
  if (!index) return HR_NO_MEMORY;
  index->bits = bits;
  index->kind = kind;
  index->tables = tables;
  hr_segment_init(&index->main, bits);
  hr_segment_init(&index->delta, bits);
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
  hr_mih_free(index->mih);
  hr_postings_free(index->postings);
  hr_segment_free(&index->main);
  hr_segment_free(&index->delta);
  hr_lsh_free(index->lsh);
  hr_lock_destroy(&index->lock);
  hr_lock_destroy(&index->changing);
  free(index);
}

void hr_index_set_policy(hr_index *index, hr_policy policy, bool typical) {
  hr_index_lock(index);
  index->planner.policy = policy;
  index->planner.history = (hr_history){0};
  if (typical) index->planner.costs = *hr_costs_typical();
  hr_index_unlock(index);
}

/* --- looking at it --------------------------------------------------------------- */

uint32_t hr_index_bits(const hr_index *index) { return index->bits; }
hr_kind hr_index_kind(const hr_index *index) { return index->kind; }
uint32_t hr_index_tables(const hr_index *index) { return index->tables; }

size_t hr_index_count(hr_index *index) {
  hr_lock_shared(&index->lock);
  size_t count = hr_index_live(index);
  hr_unlock_shared(&index->lock);
  return count;
}

int64_t hr_index_next_id(hr_index *index) {
  hr_lock_shared(&index->lock);
  int64_t next = index->next_id;
  hr_unlock_shared(&index->lock);
  return next;
}

static size_t bytes_of(const hr_index *index) {
  return hr_segment_bytes(&index->main) + hr_segment_bytes(&index->delta) +
         (index->lsh ? hr_lsh_bytes(index->lsh) : 0) +
         (index->postings ? hr_postings_bytes(index->postings) : 0) +
         (index->mih ? hr_mih_bytes(index->mih) + sizeof index->planner : 0);
}

/* --- looking up --------------------------------------------------------------- */

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
    int segment = hr_index_locate(index, ids[i], &row);
    if (segment < 0) {
      *culprit = ids[i];
      return HR_UNKNOWN_ID;
    }
    if (segment == HR_SORTED)
      hr_postings_code(index->postings, row, code);
    else
      hr_words_store(hr_segment_words(hr_index_segment(index, segment), row), index->bits, code);
  }
  return HR_OK;
}

/* Sorted codes are found by row through a list that is made when first asked for. */
static bool listed(const hr_index *index) { return !index->postings || index->postings->positions; }

static hr_status list_codes(hr_index *index) {
  hr_index_lock(index);
  hr_status status = listed(index) ? HR_OK : hr_postings_invert(index->postings);
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
  for (int segment; (segment = hr_cursor_next(&cursor, &row)) >= 0;)
    if (hr_segment_is_live(cursor.rows[segment], row))
      *out++ = hr_segment_id(cursor.rows[segment], row);
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

static void insert_code(code_set *set, const uint64_t *code) {
  size_t at = code_hash(set, code) & set->mask;
  while (set->codes[at] && !hr_words_equal(set->codes[at], code, set->words))
    at = (at + 1) & set->mask;
  set->size += !set->codes[at];
  set->codes[at] = code;
}

static void insert_rows(code_set *set, const hr_segment *rows) {
  for (size_t row = 0; row < rows->count; row++)
    if (hr_segment_is_live(rows, row)) insert_code(set, hr_segment_words(rows, row));
}

static void insert_sorted(code_set *set, const hr_postings *postings) {
  for (size_t entry = 0; entry < postings->entries; entry++)
    if (hr_postings_is_live(postings, entry)) insert_code(set, hr_postings_entry(postings, entry));
}

static hr_status count_distinct(const hr_index *index, size_t *out) {
  const hr_postings *postings = index->postings;
  if (postings && !postings->rows.tombstones && !index->main.count && !index->delta.count) {
    *out = hr_postings_distinct(postings);
    return HR_OK;
  }
  size_t slots = 16;
  while (slots < 2 * hr_index_live(index)) slots *= 2;
  code_set set = {hr_alloc_zero(slots, sizeof *set.codes), (index->bits + 63) / 64, slots - 1, 0};
  if (!set.codes) return HR_NO_MEMORY;
  if (index->postings) insert_sorted(&set, index->postings);
  insert_rows(&set, &index->main);
  insert_rows(&set, &index->delta);
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
  status = hr_index_gather(index, &copy->main);
  if (status)
    hr_index_free(copy);
  else
    *out = copy;
  return status;
}
