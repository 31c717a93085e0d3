/* Growth, look-up and merging of segments. */
#include "storage/segment.h"

#include "base/bisect.h"
#include "base/memory.h"
#include "storage/blocks.h"

static size_t block_bytes(const hr_segment *segment) { return hr_block_bytes(1, segment->words); }

void hr_segment_init(hr_segment *segment, uint32_t bits) {
  *segment = (hr_segment){.bits = bits, .words = (bits + 63) / 64};
}

void hr_segment_free(hr_segment *segment) {
  if (!segment->borrowed) {
    hr_free_aligned(segment->blocks);
    free(segment->ids);
  }
  free(segment->live);
  hr_segment_init(segment, segment->bits);
}

size_t hr_segment_bytes(const hr_segment *segment) {
  return hr_block_count(segment->capacity) * block_bytes(segment) +
         (segment->ids ? segment->capacity * sizeof *segment->ids : 0) +
         (segment->live ? hr_block_count(segment->capacity) : 0);
}

/* The first row whose id is at least `id`. */
static size_t lower_bound(const hr_segment *segment, int64_t id) {
  if (segment->ids) {
    size_t first = 0;
    HR_BISECT(first, segment->count, row, segment->ids[row] < id);
    return first;
  }
  if (id <= segment->first_id) return 0;
  uint64_t offset = (uint64_t)id - (uint64_t)segment->first_id;
  return offset < segment->count ? (size_t)offset : segment->count;
}

size_t hr_segment_find(const hr_segment *segment, int64_t id) {
  size_t row = lower_bound(segment, id);
  bool found =
      row < segment->count && hr_segment_id(segment, row) == id && hr_segment_is_live(segment, row);
  return found ? row : HR_NO_ROW;
}

/* Opens a segment with room for `capacity` rows. */
static hr_status open_room(hr_segment *segment, uint32_t bits, size_t capacity, bool ids,
                           bool live) {
  hr_segment_init(segment, bits);
  segment->capacity = capacity;
  segment->blocks = hr_blocks_alloc(capacity, segment->words);
  if (ids) segment->ids = hr_alloc(capacity, sizeof *segment->ids);
  if (live) segment->live = hr_alloc_zero(hr_block_count(capacity), 1);
  if (segment->blocks && (segment->ids || !ids) && (segment->live || !live)) return HR_OK;
  hr_segment_free(segment);
  return HR_NO_MEMORY;
}

/* A copy with such room. */
static hr_status copy(const hr_segment *from, size_t capacity, bool ids, hr_segment *out) {
  hr_status status = open_room(out, from->bits, capacity, ids, from->live);
  if (status) return status;
  size_t blocks = hr_block_count(from->count);
  if (blocks && from->blocks) memcpy(out->blocks, from->blocks, blocks * block_bytes(from));
  if (blocks && from->live) memcpy(out->live, from->live, blocks);
  for (size_t row = 0; ids && row < from->count; row++) out->ids[row] = hr_segment_id(from, row);
  out->first_id = from->first_id;
  out->count = from->count;
  out->tombstones = from->tombstones;
  return HR_OK;
}

hr_status hr_segment_copy_rows(const hr_segment *rows, hr_segment *out) {
  hr_status status = copy(rows, rows->count, rows->ids, out);
  if (!status) memset(out->blocks, 0, hr_block_bytes(rows->count, out->words));
  return status;
}

static hr_status grow(hr_segment *segment, size_t capacity, bool ids) {
  hr_segment larger;
  hr_status status = copy(segment, capacity, ids, &larger);
  if (status) return status;
  hr_segment_free(segment);
  *segment = larger;
  return HR_OK;
}

hr_status hr_segment_own(hr_segment *segment) {
  return segment->borrowed ? grow(segment, segment->count, segment->ids) : HR_OK;
}

static bool consecutive(const hr_segment *segment, const int64_t *ids, size_t n) {
  if (segment->ids) return false;
  uint64_t expected = (uint64_t)(segment->count ? segment->first_id : ids[0]) + segment->count;
  for (size_t i = 0; i < n; i++)
    if ((uint64_t)ids[i] != expected + i) return false;
  return true;
}

/* Half as much again, except that the first rows get just the room they need: most
 * indexes are built by one call. */
static size_t next_capacity(const hr_segment *segment, size_t needed) {
  size_t larger = segment->capacity + segment->capacity / 2;
  return needed > larger ? needed : larger;
}

hr_status hr_segment_with_room(const hr_segment *segment, size_t n, hr_segment *out) {
  hr_segment_init(out, segment->bits);
  if (n > HR_MAX_ROWS - segment->count) return HR_TOO_MANY_ROWS;
  size_t needed = segment->count + n;
  if (needed <= segment->capacity) return HR_OK;
  return copy(segment, next_capacity(segment, needed), segment->ids, out);
}

hr_status hr_segment_append(hr_segment *segment, const uint8_t *codes, const int64_t *ids,
                            size_t n) {
  if (!n) return HR_OK;
  if (n > HR_MAX_ROWS - segment->count) return HR_TOO_MANY_ROWS;
  size_t needed = segment->count + n;
  bool with_ids = !consecutive(segment, ids, n);
  if (needed > segment->capacity || segment->borrowed || with_ids != (segment->ids != NULL)) {
    size_t capacity =
        needed > segment->capacity ? next_capacity(segment, needed) : segment->capacity;
    hr_status status = grow(segment, capacity, with_ids);
    if (status) return status;
  }
  if (!segment->count) segment->first_id = ids[0];
  size_t last = hr_block_count(needed) - 1;
  if (last >= hr_block_count(segment->count))
    memset(segment->blocks + last * segment->words * HR_LANES, 0, block_bytes(segment));
  hr_blocks_fill(segment->blocks, segment->bits, segment->count, codes, n);
  if (segment->ids) memcpy(segment->ids + segment->count, ids, n * sizeof *ids);
  if (segment->live)
    for (size_t row = segment->count; row < needed; row++) hr_set_bit(segment->live, row);
  segment->count = needed;
  return HR_OK;
}

hr_status hr_segment_open_live(hr_segment *segment) {
  if (segment->live) return HR_OK;
  segment->live = hr_alloc_zero(hr_block_count(segment->capacity), 1);
  if (!segment->live) return HR_NO_MEMORY;
  memset(segment->live, 0xFF, segment->count / 8);
  for (size_t row = segment->count / 8 * 8; row < segment->count; row++)
    hr_set_bit(segment->live, row);
  return HR_OK;
}

void hr_segment_delete(hr_segment *segment, size_t row) {
  segment->live[row / 8] &= (uint8_t)~(1u << row % 8);
  segment->tombstones++;
}

static void copy_row(hr_segment *to, const hr_segment *from, size_t row) {
  hr_blocks_put(to->blocks, to->words, to->count, hr_segment_words(from, row));
  if (to->ids) to->ids[to->count] = hr_segment_id(from, row);
  to->count++;
}

static size_t skip_tombstones(const hr_segment *segment, size_t row) {
  while (row < segment->count && !hr_segment_is_live(segment, row)) row++;
  return row;
}

/* Unsigned: ids may lie farther apart than an id can be. */
void hr_segment_pack_ids(hr_segment *segment) {
  size_t count = segment->count;
  const int64_t *ids = segment->ids;
  if (!ids || (count && (uint64_t)ids[count - 1] - (uint64_t)ids[0] != count - 1)) return;
  segment->first_id = count ? ids[0] : 0;
  free(segment->ids);
  segment->ids = NULL;
}

hr_status hr_segment_merge(hr_segment *segment, const hr_segment *more) {
  size_t total = hr_segment_live(segment) + hr_segment_live(more);
  if (total > HR_MAX_ROWS) return HR_TOO_MANY_ROWS;
  hr_segment merged;
  hr_status status = open_room(&merged, segment->bits, total, true, false);
  if (status) return status;
  size_t a = skip_tombstones(segment, 0), b = skip_tombstones(more, 0);
  while (merged.count < total) {
    bool first = b == more->count ||
                 (a < segment->count && hr_segment_id(segment, a) < hr_segment_id(more, b));
    copy_row(&merged, first ? segment : more, first ? a : b);
    if (first)
      a = skip_tombstones(segment, a + 1);
    else
      b = skip_tombstones(more, b + 1);
  }
  hr_segment_pack_ids(&merged);
  hr_segment_free(segment);
  *segment = merged;
  return HR_OK;
}
