/* Which rows a search may return: a bit a row, in each segment. */
#include "base/memory.h"
#include "index/internal.h"
#include "kernels/dispatch.h"
#include "storage/marks.h"

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
  for (int segment = 0; segment < HR_SEGMENTS; segment++) free(filter->allow[segment]);
  hr_few_free(filter->few);
  free(filter);
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

/* --- from ids -------------------------------------------------------------------- */

static void allow_row(hr_filter *filter, int segment, size_t row) {
  filter->allowed[segment] += !hr_bit(filter->allow[segment], row);
  hr_set_bit(filter->allow[segment], row);
}

/* The usual case: ids that follow each other are row numbers. Returns how many
 * of the ids were found so before one that was not. */
static size_t allow_numbers(const hr_index *index, const hr_allowed *allowed, hr_filter *filter) {
  int only = only_segment(index);
  const hr_segment *rows = only < 0 ? NULL : hr_index_segment(index, only);
  if (!rows || rows->ids) return 0;
  for (size_t i = 0; i < allowed->n; i++) {
    uint64_t row = (uint64_t)allowed->ids[i] - (uint64_t)rows->first_id;
    if (row >= rows->count) return i;
    allow_row(filter, only, (size_t)row);
  }
  return allowed->n;
}

static hr_status allow_ids(const hr_index *index, const hr_allowed *allowed, hr_filter *filter,
                           int64_t *culprit) {
  for (size_t i = allow_numbers(index, allowed, filter); i < allowed->n; i++) {
    size_t row;
    int segment = hr_index_locate(index, allowed->ids[i], &row);
    if (segment < 0 && allowed->present) continue;
    if (segment < 0) {
      *culprit = allowed->ids[i];
      return HR_UNKNOWN_ID;
    }
    allow_row(filter, segment, row);
  }
  return HR_OK;
}

/* --- from a mask ----------------------------------------------------------------- */

/* Row i has mask[i]. */
static void pack_mask(const uint8_t *mask, size_t n, uint8_t *bits) {
  hr_active_kernels()->pack_mask(mask, n / 8, bits);
  for (size_t i = n / 8 * 8; i < n; i++)
    if (mask[i]) hr_set_bit(bits, i);
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

static hr_status allow_mask(const hr_index *index, const hr_allowed *allowed, hr_filter *filter) {
  if (allowed->n != hr_index_live(index)) return HR_BAD_MASK;
  set_mask(index, allowed, filter);
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    size_t bytes = rows ? hr_block_count(rows->count) : 0;
    filter->allowed[segment] = hr_count_marks(filter->allow[segment], bytes);
  }
  return HR_OK;
}

hr_status hr_filter_open(const hr_index *index, const hr_allowed *allowed, hr_filter **out,
                         int64_t *culprit) {
  hr_filter *filter;
  hr_status status = open_bits(index, &filter);
  if (status) return status;
  status = allowed->mask ? allow_mask(index, allowed, filter)
                         : allow_ids(index, allowed, filter, culprit);
  if (status)
    hr_filter_free(filter);
  else
    *out = filter;
  return status;
}

/* --- to ids ---------------------------------------------------------------------- */

size_t hr_filter_count(const hr_filter *filter) {
  size_t sum = 0;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) sum += filter->allowed[segment];
  return sum;
}

/* The segment whose next row has the least id; -1: all are through. */
static int least_segment(const hr_segment *const *rows, hr_marked *next) {
  int least = -1;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    if (next[segment].row == HR_NO_ROW) continue;
    if (least < 0 || hr_segment_id(rows[segment], next[segment].row) <
                         hr_segment_id(rows[least], next[least].row))
      least = segment;
  }
  return least;
}

void hr_filter_ids(const hr_index *index, const hr_filter *filter, int64_t *ids) {
  const hr_segment *rows[HR_SEGMENTS];
  hr_marked next[HR_SEGMENTS];
  size_t all = hr_filter_count(filter), left = all;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    rows[segment] = hr_index_segment(index, segment);
    next[segment] = hr_marked_open(filter->allow[segment],
                                   rows[segment] ? hr_block_count(rows[segment]->count) : 0);
    hr_marked_next(&next[segment]);
  }
  while (left) {
    int segment = least_segment(rows, next);
    bool only = filter->allowed[segment] == all;
    do {
      *ids++ = hr_segment_id(rows[segment], next[segment].row);
      hr_marked_next(&next[segment]);
    } while (--left && only);
  }
}
