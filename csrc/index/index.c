/* An index from its beginning to its end, looked at from outside. */
#include "index/internal.h"

#include "base/memory.h"
#include "storage/blocks.h"

/* To sort so many words, and to make their tables, takes some hundredths of a second. */
#define SOON_WORDS ((size_t)1 << 17)

hr_status hr_index_create(uint32_t bits, hr_kind kind, uint32_t tables, uint32_t recall,
                          hr_index **out) {
  hr_index *index = hr_alloc_zero(1, sizeof *index);
  if (!index) return HR_NO_MEMORY;
  index->bits = bits;
  index->kind = kind;
  index->tables = tables;
  index->recall = recall;
  index->soon = SOON_WORDS;
  hr_segment_init(&index->main, bits);
  hr_segment_init(&index->delta, bits);
  hr_segment_init(&index->frozen[0], bits);
  hr_segment_init(&index->frozen[1], bits);
  if (hr_index_open_locks(index)) {
    free(index);
    return HR_NO_MEMORY;
  }
  *out = index;
  return HR_OK;
}

void hr_index_free(hr_index *index) {
  if (!index) return;
  (void)hr_index_rest(index, -1);
  hr_mih_free(index->mih);
  hr_postings_free(index->postings);
  hr_segment_free(&index->frozen[0]);
  hr_segment_free(&index->frozen[1]);
  hr_segment_free(&index->main);
  hr_segment_free(&index->delta);
  hr_ivf_free(index->ivf);
  hr_lsh_free(index->lsh);
  hr_index_close_locks(index);
  free(index);
}

void hr_index_set_policy(hr_index *index, hr_policy policy, bool typical) {
  hr_index_lock(index);
  index->planner.policy = policy;
  index->planner.history = (hr_history){0};
  if (typical) index->planner.costs = hr_typical_costs;
  hr_index_unlock(index);
}

void hr_index_set_soon(hr_index *index, size_t words) {
  hr_index_lock(index);
  index->soon = words;
  hr_index_unlock(index);
}

uint32_t hr_index_bits(const hr_index *index) { return index->bits; }
hr_kind hr_index_kind(const hr_index *index) { return index->kind; }
uint32_t hr_index_tables(const hr_index *index) { return index->tables; }
uint32_t hr_index_recall(const hr_index *index) { return index->recall; }

size_t hr_index_count(hr_index *index) {
  hr_lock_shared(&index->lock);
  size_t count = hr_index_live(index);
  hr_unlock_shared(&index->lock);
  return count;
}

static size_t bytes_of(const hr_index *index) {
  return hr_segment_bytes(&index->frozen[0]) + hr_segment_bytes(&index->frozen[1]) +
         hr_segment_bytes(&index->main) + hr_segment_bytes(&index->delta) +
         (index->lsh ? hr_lsh_bytes(index->lsh) : 0) + (index->ivf ? hr_ivf_bytes(index->ivf) : 0) +
         (index->postings ? hr_postings_bytes(index->postings) : 0) +
         (index->mih ? hr_mih_bytes(index->mih) + sizeof index->planner : 0);
}

bool hr_index_contains(hr_index *index, int64_t id) {
  size_t row;
  hr_lock_shared(&index->lock);
  bool found = hr_index_locate(index, id, &row) >= 0;
  hr_unlock_shared(&index->lock);
  return found;
}

hr_status hr_read_codes(const hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                        int64_t *culprit) {
  for (size_t i = 0; i < n; i++) {
    size_t row;
    int segment = hr_index_locate(index, ids[i], &row);
    if (segment < 0) {
      *culprit = ids[i];
      return HR_UNKNOWN_ID;
    }
    const hr_postings *sorted = segment == HR_SORTED ? index->postings : NULL;
    const uint64_t *code = sorted ? hr_postings_entry(sorted, sorted->entry_of[row])
                                  : hr_segment_words(hr_index_segment(index, segment), row);
    hr_words_store(code, index->bits, codes + i * ((index->bits + 7) / 8));
  }
  return HR_OK;
}

hr_status hr_index_get(hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                       int64_t *culprit) {
  hr_status status = hr_index_lock_shared(index, 0, true);
  if (status) return status;
  status = hr_read_codes(index, ids, n, codes, culprit);
  hr_unlock_shared(&index->lock);
  return status;
}

void hr_read_ids(const hr_index *index, int64_t *out) {
  hr_cursor cursor = hr_cursor_open(index);
  size_t row;
  for (int segment; (segment = hr_cursor_next(&cursor, &row)) >= 0;)
    *out++ = hr_segment_id(cursor.rows[segment], row);
}

size_t hr_index_ids(hr_index *index, int64_t *out, size_t room) {
  hr_lock_shared(&index->lock);
  size_t count = hr_index_live(index);
  if (count <= room) hr_read_ids(index, out);
  hr_unlock_shared(&index->lock);
  return count;
}

/* Counted by sorting. */
static hr_status count_distinct(const hr_index *index, size_t *out) {
  hr_postings *sorted = index->postings;
  bool all = sorted && hr_index_missing(index, true) == HR_NOTHING;
  hr_status status = all ? HR_OK : hr_index_sort(index, NULL, &sorted);
  if (status) return status;
  *out = hr_postings_distinct(sorted);
  if (!all) hr_postings_free(sorted);
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

size_t hr_read_count(const hr_index *index) { return hr_index_live(index); }

hr_tuning hr_read_tuning(const hr_index *index, size_t k) {
  if (!index->ivf) return (hr_tuning){.scan = true};
  const hr_segment *rows = &index->postings->rows;
  return hr_ivf_tuning(index->ivf, hr_ivf_among(k, rows->count, hr_segment_live(rows)));
}

bool hr_read_awaits_lists(const hr_index *index) {
  return !index->ivf && hr_index_missing(index, false) == HR_ORDER;
}

hr_status hr_read_copy(const hr_index *index, hr_index **out) {
  hr_index *copy;
  hr_status status = hr_index_create(index->bits, index->kind, index->tables, index->recall, &copy);
  if (status) return status;
  copy->next_id = index->next_id;
  status = hr_index_gather(index, &copy->main);
  if (status)
    hr_index_free(copy);
  else
    *out = copy;
  return status;
}
