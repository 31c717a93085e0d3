/* Which rows a search may return: a bit a row, in each segment. */
#include "base/memory.h"
#include "index/internal.h"
#include "kernels/dispatch.h"

static hr_status filter_open(const hr_index *index, hr_filter **out) {
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
  free(filter);
}

hr_status hr_filter_open_ids(const hr_index *index, const int64_t *ids, size_t n, hr_filter **out,
                             int64_t *culprit) {
  hr_status status = filter_open(index, out);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row;
    int segment = hr_index_locate(index, ids[i], &row);
    if (segment >= 0) {
      hr_set_bit((*out)->allow[segment], row);
    } else {
      *culprit = ids[i];
      hr_filter_free(*out);
      *out = NULL;
      status = HR_UNKNOWN_ID;
    }
  }
  return status;
}

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

hr_status hr_filter_open_mask(const hr_index *index, const uint8_t *mask, size_t n,
                              hr_filter **out) {
  if (n != hr_index_live(index)) return HR_BAD_MASK;
  hr_status status = filter_open(index, out);
  if (status) return status;
  int only = only_segment(index);
  if (only >= 0) {
    pack_mask(mask, n, (*out)->allow[only]);
    return HR_OK;
  }
  hr_cursor cursor = hr_cursor_open(index);
  size_t row;
  for (int segment; (segment = hr_cursor_next(&cursor, &row)) >= 0;)
    if (*mask++) hr_set_bit((*out)->allow[segment], row);
  return HR_OK;
}
