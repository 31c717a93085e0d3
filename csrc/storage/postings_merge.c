/* Merging sorted codes.
 *
 * Both lists are read from front to back, as is the result written: first to count the different
 * codes, which decides how they are stored, then to store them. Only where the rows of a code lie
 * in the merged order of ids is looked up here and there, four bytes each.
 */
#include "storage/postings_merge.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "storage/blocks.h"

/* The number of a row that is not live. */
#define GONE UINT32_MAX

/* One of the lists, and how far it was read. */
typedef struct {
  const hr_postings *from;
  uint32_t *numbers; /* of its rows in the result */
  size_t entry;      /* the next one */
  size_t next;       /* the first one after it with another code */
} side;

typedef struct {
  side a, b;
  const int *cancel;
  hr_postings *out;
  size_t rows;        /* live ones of both */
  bool store;         /* else what there is to store is counted */
  size_t entries, at; /* that were stored or counted: different codes, or rows; rows */
} merging;

static size_t live_row(const hr_segment *rows, size_t row) {
  while (row < rows->count && !hr_segment_is_live(rows, row)) row++;
  return row;
}

/* Numbers the live rows of both by ascending id, and lists their ids. */
static bool number_rows(merging *m) {
  const hr_segment *a = &m->a.from->rows, *b = &m->b.from->rows;
  hr_segment *rows = &m->out->rows;
  m->a.numbers = hr_alloc(a->count, sizeof(uint32_t));
  m->b.numbers = hr_alloc(b->count, sizeof(uint32_t));
  rows->ids = hr_alloc(m->rows, sizeof *rows->ids);
  if (!m->a.numbers || !m->b.numbers || !rows->ids) return false;
  memset(m->a.numbers, 0xFF, a->count * sizeof(uint32_t));
  memset(m->b.numbers, 0xFF, b->count * sizeof(uint32_t));
  size_t i = live_row(a, 0), j = live_row(b, 0);
  while (rows->count < m->rows) {
    bool first = j == b->count || (i < a->count && hr_segment_id(a, i) < hr_segment_id(b, j));
    rows->ids[rows->count] = first ? hr_segment_id(a, i) : hr_segment_id(b, j);
    (first ? m->a.numbers : m->b.numbers)[first ? i : j] = (uint32_t)rows->count++;
    if (first)
      i = live_row(a, i + 1);
    else
      j = live_row(b, j + 1);
  }
  rows->capacity = rows->count;
  hr_segment_pack_ids(rows);
  return true;
}

/* Moves to an entry. */
static void move(side *s, size_t entry) {
  const hr_postings *p = s->from;
  s->entry = entry;
  s->next = entry + 1;
  if (p->starts || entry >= p->entries) return;
  const uint64_t *code = hr_postings_entry(p, entry);
  while (s->next < p->entries &&
         !hr_words_compare(hr_postings_entry(p, s->next), code, HR_LANES, p->words))
    s->next++;
}

/* Below, at or above zero: whether the next code of a comes before, with, or after that of b. */
static int compare(const side *a, const side *b) {
  if (a->entry == a->from->entries) return 1;
  if (b->entry == b->from->entries) return -1;
  return hr_words_compare(hr_postings_entry(a->from, a->entry),
                          hr_postings_entry(b->from, b->entry), HR_LANES, a->from->words);
}

/* The rows that have the next code, or part of it. */
typedef struct {
  const side *of;
  size_t at, end;
} listing;

static listing list(const side *s, bool any) {
  if (!any) return (listing){s, 0, 0};
  return (listing){s, hr_postings_start(s->from, s->entry), hr_postings_start(s->from, s->next)};
}

/* The number of the next live row, or GONE. */
static uint32_t look(listing *l) {
  for (; l->at < l->end; l->at++) {
    uint32_t row = l->of->from->order[l->at];
    if (row < l->of->from->rows.count && l->of->numbers[row] != GONE) return l->of->numbers[row];
  }
  return GONE;
}

/* Stores or counts a row; false if there are more than there can be. */
static bool take_row(merging *m, uint32_t number, const uint64_t *code, bool first) {
  hr_postings *out = m->out;
  bool entry = first || (m->store && !out->starts);
  if (m->at == m->rows || (m->store && entry && m->entries == out->entries)) return false;
  if (m->store) out->order[m->at] = number;
  if (m->store && entry) {
    if (out->starts) out->starts[m->entries] = (uint32_t)m->at;
    hr_blocks_put(out->blocks, out->words, m->entries, code);
  }
  m->at++;
  m->entries += entry;
  return true;
}

/* Takes the rows of one code, by ascending number. */
static bool take_code(merging *m, const uint64_t *code, listing a, listing b) {
  uint32_t left = look(&a), right = look(&b);
  for (bool first = true; left != GONE || right != GONE; first = false) {
    if (!take_row(m, left < right ? left : right, code, first)) return false;
    if (left < right) {
      a.at++;
      left = look(&a);
    } else {
      b.at++;
      right = look(&b);
    }
  }
  return true;
}

/* Goes through all codes, to count or to store. */
static hr_status pass(merging *m, bool store) {
  m->store = store;
  m->entries = m->at = 0;
  move(&m->a, 0);
  move(&m->b, 0);
  for (size_t step = 0;; step++) {
    bool a_left = m->a.entry < m->a.from->entries, b_left = m->b.entry < m->b.from->entries;
    if (!a_left && !b_left) break;
    if (step % HR_POLL == 0 && hr_cancelled(m->cancel)) return HR_CANCELLED;
    int order = compare(&m->a, &m->b);
    const side *first = order <= 0 ? &m->a : &m->b;
    const uint64_t *code = hr_postings_entry(first->from, first->entry);
    if (!take_code(m, code, list(&m->a, order <= 0), list(&m->b, order >= 0))) return HR_BAD_FORMAT;
    if (order <= 0) move(&m->a, m->a.next);
    if (order >= 0) move(&m->b, m->b.next);
  }
  return m->at == m->rows ? HR_OK : HR_BAD_FORMAT;
}

/* Makes room for what was counted. */
static bool open_result(merging *m) {
  hr_postings *out = m->out;
  bool shared = m->entries <= m->rows / HR_SHARED;
  out->entries = shared ? m->entries : m->rows;
  out->blocks = hr_blocks_alloc(out->entries, out->words);
  out->order = hr_alloc_aligned(m->rows * sizeof *out->order);
  if (shared) out->starts = hr_alloc(out->entries + 1, sizeof *out->starts);
  return out->blocks && out->order && (out->starts || !shared);
}

static hr_status merge(merging *m) {
  if (m->rows > HR_MAX_ROWS) return HR_TOO_MANY_ROWS;
  if (!number_rows(m)) return HR_NO_MEMORY;
  hr_status status = pass(m, false);
  if (!status && !open_result(m)) status = HR_NO_MEMORY;
  if (!status) status = pass(m, true);
  if (!status && m->entries != m->out->entries) status = HR_BAD_FORMAT;
  if (!status && m->out->starts) m->out->starts[m->entries] = (uint32_t)m->rows;
  return status;
}

hr_status hr_postings_merge(const hr_postings *sorted, const hr_postings *more, const int *cancel,
                            hr_postings **out) {
  merging m = {.a = {.from = sorted}, .b = {.from = more}, .cancel = cancel};
  m.out = hr_alloc_zero(1, sizeof *m.out);
  if (!m.out) return HR_NO_MEMORY;
  m.rows = hr_segment_live(&sorted->rows) + hr_segment_live(&more->rows);
  hr_segment_init(&m.out->rows, sorted->rows.bits);
  m.out->words = sorted->words;
  hr_status status = merge(&m);
  free(m.a.numbers);
  free(m.b.numbers);
  if (status)
    hr_postings_free(m.out);
  else
    *out = m.out;
  return status;
}
