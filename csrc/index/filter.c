/* Which rows a search may return: a bit a row, in each segment, and a copy of the codes where they
 * are few. */
#include "base/bitstring.h"
#include "base/memory.h"
#include "base/radix_sort.h"
#include "index/internal.h"
#include "kernels/dispatch.h"

/* The rows of a segment that are allowed, as they are found. */
typedef struct {
  uint32_t *rows;
  size_t count;
} list;

static void free_lists(list *lists) {
  for (int segment = 0; segment < HR_SEGMENTS; segment++) free(lists[segment].rows);
}

static hr_status open_bits(const hr_index *index, hr_filter **out) {
  hr_filter *filter = hr_alloc_zero(1, sizeof *filter);
  if (!filter) return HR_NO_MEMORY;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    filter->allow[segment] = hr_alloc_zero(rows ? hr_block_count(rows->count) : 0, 1);
    if (filter->allow[segment]) continue;
    hr_filter_free(filter);
    return HR_NO_MEMORY;
  }
  *out = filter;
  return HR_OK;
}

void hr_filter_free(hr_filter *filter) {
  if (!filter) return;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    free(filter->allow[segment]);
    hr_subset_free(&filter->few[segment]);
  }
  free(filter);
}

/* Whether so many are few. */
static bool are_few(const hr_index *index, const hr_allowed *allowed, size_t count) {
  return index->kind != HR_LSH && allowed->few && count <= hr_index_live(index) / allowed->few;
}

/* --- from ids -------------------------------------------------------------------- */

static hr_status set_ids(const hr_index *index, const hr_allowed *allowed, hr_filter *filter,
                         list *lists, int64_t *culprit) {
  for (size_t i = 0; i < allowed->n; i++) {
    size_t row;
    int segment = hr_index_locate(index, allowed->ids[i], &row);
    if (segment < 0 && allowed->present) continue;
    if (segment < 0) {
      *culprit = allowed->ids[i];
      return HR_UNKNOWN_ID;
    }
    list *found = &lists[segment];
    if (found->rows && !hr_bit(filter->allow[segment], row))
      found->rows[found->count++] = (uint32_t)row;
    hr_set_bit(filter->allow[segment], row);
  }
  return HR_OK;
}

static bool sort_list(list *found) {
  uint32_t *spare = hr_alloc(found->count, sizeof *spare);
  if (spare) hr_sort_rows(found->rows, found->count, spare);
  free(spare);
  return spare;
}

static hr_status allow_ids(const hr_index *index, const hr_allowed *allowed, hr_filter *filter,
                           list *lists, int64_t *culprit) {
  bool ok = true, few = are_few(index, allowed, allowed->n);
  for (int segment = 0; few && segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    if (!rows || !rows->count) continue;
    lists[segment].rows = hr_alloc(allowed->n, sizeof(uint32_t));
    ok &= lists[segment].rows != NULL;
  }
  if (!ok) return HR_NO_MEMORY;
  hr_status status = set_ids(index, allowed, filter, lists, culprit);
  for (int segment = 0; !status && segment < HR_SEGMENTS; segment++)
    if (lists[segment].rows && !sort_list(&lists[segment])) status = HR_NO_MEMORY;
  return status;
}

/* --- from a mask ----------------------------------------------------------------- */

/* Row i has mask[i]. */
static void pack_mask(const uint8_t *mask, size_t n, uint8_t *bits) {
  hr_active_kernels()->pack_mask(mask, n / 8, bits);
  for (size_t i = n / 8 * 8; i < n; i++)
    if (mask[i]) hr_set_bit(bits, i);
}

/* The one segment that has rows, all of them live; -1 if it is not so. */
static int only_segment(const hr_index *index) {
  int only = -1;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    if (!rows || !rows->count) continue;
    if (only >= 0 || rows->tombstones) return -1;
    only = segment;
  }
  return only;
}

static void set_mask(const hr_index *index, const hr_allowed *allowed, hr_filter *filter) {
  int only = only_segment(index);
  if (only >= 0) {
    pack_mask(allowed->mask, allowed->n, filter->allow[only]);
    return;
  }
  const uint8_t *mask = allowed->mask;
  hr_cursor cursor = hr_cursor_open(index);
  size_t row;
  for (int segment; (segment = hr_cursor_next(&cursor, &row)) >= 0;)
    if (*mask++) hr_set_bit(filter->allow[segment], row);
}

/* Eight bytes of a bitmap from one on, or the last ones. */
static uint64_t eight_bytes(const uint8_t *bits, size_t bytes, size_t at) {
  size_t left = bytes - at;
  return left < 8 ? hr_load_word(bits + at, left) : hr_load_word(bits + at, 8);
}

static size_t count_bits(const uint8_t *bits, size_t bytes) {
  size_t count = 0;
  for (size_t at = 0; at < bytes; at += 8) count += hr_popcount(eight_bytes(bits, bytes, at));
  return count;
}

static bool list_bits(const uint8_t *bits, size_t bytes, list *out) {
  out->rows = hr_alloc(count_bits(bits, bytes), sizeof *out->rows);
  if (!out->rows) return false;
  for (size_t at = 0; at < bytes; at += 8)
    for (uint64_t left = eight_bytes(bits, bytes, at); left; left &= left - 1)
      out->rows[out->count++] = (uint32_t)(at * 8 + hr_lowest_bit(left));
  return true;
}

static hr_status allow_mask(const hr_index *index, const hr_allowed *allowed, hr_filter *filter,
                            list *lists) {
  if (allowed->n != hr_index_live(index)) return HR_BAD_MASK;
  set_mask(index, allowed, filter);
  size_t count = 0, bytes[HR_SEGMENTS];
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    bytes[segment] = rows ? hr_block_count(rows->count) : 0;
    if (allowed->few) count += count_bits(filter->allow[segment], bytes[segment]);
  }
  bool few = are_few(index, allowed, count), ok = true;
  for (int segment = 0; few && ok && segment < HR_SEGMENTS; segment++)
    if (bytes[segment]) ok = list_bits(filter->allow[segment], bytes[segment], &lists[segment]);
  return ok ? HR_OK : HR_NO_MEMORY;
}

/* --- copies ---------------------------------------------------------------------- */

/* Of sorted codes that many rows share, each is compared once, while a copy has it as often as it
 * is allowed; but then it may have many rows to be gone through. */
#define REPEATED 8

static bool worth_copying(const hr_index *index, int segment, size_t count) {
  return segment != HR_SORTED || count / REPEATED < index->postings->entries;
}

static hr_status copy_few(const hr_index *index, hr_filter *filter, list *lists) {
  hr_status status = HR_OK;
  for (int segment = 0; !status && segment < HR_SEGMENTS; segment++) {
    list found = lists[segment];
    const hr_postings *postings = segment == HR_SORTED ? index->postings : NULL;
    if (!found.rows || !worth_copying(index, segment, found.count)) continue;
    if (postings && !hr_postings_listed(postings)) return HR_NOT_READY;
    lists[segment].rows = NULL;
    status = hr_subset_open(hr_index_segment(index, segment), postings, found.rows, found.count,
                            &filter->few[segment]);
  }
  return status;
}

hr_status hr_filter_open(const hr_index *index, const hr_allowed *allowed, hr_filter **out,
                         int64_t *culprit) {
  list lists[HR_SEGMENTS] = {{0}};
  hr_filter *filter;
  hr_status status = open_bits(index, &filter);
  if (status) return status;
  status = allowed->mask ? allow_mask(index, allowed, filter, lists)
                         : allow_ids(index, allowed, filter, lists, culprit);
  if (!status && index->ivf)
    filter->sorted =
        count_bits(filter->allow[HR_SORTED], hr_block_count(index->postings->rows.count));
  if (!status) status = copy_few(index, filter, lists);
  free_lists(lists);
  if (status)
    hr_filter_free(filter);
  else
    *out = filter;
  return status;
}

size_t hr_filter_compared(const hr_index *index, const hr_filter *filter) {
  size_t sum = 0;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    const hr_subset *few = &filter->few[segment];
    if (rows) sum += few->blocks ? few->count : rows->count;
  }
  return sum;
}
