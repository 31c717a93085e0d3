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

void hr_segment_set_code(hr_segment *segment, size_t row, const uint8_t *code) {
  hr_blocks_fill(segment->blocks, segment->bits, row, code, 1);
}

typedef struct {
  const hr_segment *segment;
  int64_t id;
} lookup;

static bool lies_before(const void *sought, size_t row) {
  const lookup *l = sought;
  return l->segment->ids[row] < l->id;
}

/* The first row whose id is at least `id`. */
static size_t lower_bound(const hr_segment *segment, int64_t id) {
  if (segment->ids) return hr_bisect(0, segment->count, lies_before, &(lookup){segment, id});
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

/* --- growth ---------------------------------------------------------------- */

/* New memory of at least `capacity` segment that starts with the present ones. */
typedef struct {
  uint64_t *blocks;
  int64_t *ids;
  uint8_t *live;
} memory;

static void discard(memory *fresh) {
  hr_free_aligned(fresh->blocks);
  free(fresh->ids);
  free(fresh->live);
}

static bool obtain(const hr_segment *segment, size_t capacity, bool with_ids, memory *fresh) {
  *fresh = (memory){0};
  size_t blocks = hr_block_count(capacity);
  if (blocks > SIZE_MAX / block_bytes(segment)) return false;
  fresh->blocks = hr_alloc_aligned(blocks * block_bytes(segment));
  fresh->ids = with_ids ? hr_alloc(capacity, sizeof *fresh->ids) : NULL;
  fresh->live = segment->live ? hr_alloc(blocks, 1) : NULL;
  if (fresh->blocks && (fresh->ids || !with_ids) && (fresh->live || !segment->live)) return true;
  discard(fresh);
  return false;
}

static hr_status grow(hr_segment *segment, size_t capacity, bool with_ids) {
  memory fresh;
  if (!obtain(segment, capacity, with_ids, &fresh)) return HR_NO_MEMORY;
  size_t used = hr_block_count(segment->count);
  if (used) memcpy(fresh.blocks, segment->blocks, used * block_bytes(segment));
  if (fresh.live) memcpy(fresh.live, segment->live, used);
  if (with_ids)
    for (size_t i = 0; i < segment->count; i++) fresh.ids[i] = hr_segment_id(segment, i);
  hr_segment next = *segment;
  next.blocks = fresh.blocks;
  next.ids = fresh.ids;
  next.live = fresh.live;
  next.capacity = capacity;
  next.borrowed = false;
  hr_segment_free(segment);
  *segment = next;
  return HR_OK;
}

hr_status hr_segment_own(hr_segment *segment) {
  return segment->borrowed ? grow(segment, segment->count, segment->ids != NULL) : HR_OK;
}

static bool consecutive(const hr_segment *segment, const int64_t *ids, size_t n) {
  if (segment->ids) return false;
  uint64_t expected = (uint64_t)(segment->count ? segment->first_id : ids[0]) + segment->count;
  for (size_t i = 0; i < n; i++)
    if ((uint64_t)ids[i] != expected + i) return false;
  return true;
}

/* Doubling, except that the first segment get just the room they need: most
 * indexes are built by one call. */
static size_t next_capacity(const hr_segment *segment, size_t needed) {
  size_t doubled = segment->capacity + segment->capacity / 2;
  return needed > doubled ? needed : doubled;
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
  size_t from = hr_block_count(segment->count), to = hr_block_count(needed);
  memset(segment->blocks + from * segment->words * HR_LANES, 0, (to - from) * block_bytes(segment));
  if (segment->live) memset(segment->live + from, 0, to - from);
  hr_blocks_fill(segment->blocks, segment->bits, segment->count, codes, n);
  if (segment->ids) memcpy(segment->ids + segment->count, ids, n * sizeof *ids);
  if (segment->live)
    for (size_t row = segment->count; row < needed; row++) hr_set_bit(segment->live, row);
  segment->count = needed;
  return HR_OK;
}

hr_status hr_segment_reserve(hr_segment *segment, const hr_segment *like) {
  memory fresh;
  hr_segment_init(segment, like->bits);
  segment->live = like->live; /* for `obtain` to copy its presence */
  bool ok = obtain(segment, like->count, like->ids != NULL, &fresh);
  segment->live = NULL;
  if (!ok) return HR_NO_MEMORY;
  size_t blocks = hr_block_count(like->count);
  if (blocks) memset(fresh.blocks, 0, blocks * block_bytes(segment));
  for (size_t row = 0; fresh.ids && row < like->count; row++) fresh.ids[row] = like->ids[row];
  if (fresh.live && blocks) memcpy(fresh.live, like->live, blocks);
  segment->blocks = fresh.blocks;
  segment->ids = fresh.ids;
  segment->live = fresh.live;
  segment->first_id = like->first_id;
  segment->count = segment->capacity = like->count;
  segment->tombstones = like->tombstones;
  return HR_OK;
}

hr_status hr_segment_copy(const hr_segment *segment, hr_segment *out) {
  hr_status status = hr_segment_reserve(out, segment);
  size_t blocks = hr_block_count(segment->count);
  if (!status && blocks) memcpy(out->blocks, segment->blocks, blocks * block_bytes(segment));
  return status;
}

hr_status hr_segment_open_live(hr_segment *segment) {
  if (segment->live) return HR_OK;
  segment->live = hr_alloc_zero(hr_block_count(segment->capacity), 1);
  if (!segment->live) return HR_NO_MEMORY;
  for (size_t row = 0; row < segment->count; row++) hr_set_bit(segment->live, row);
  return HR_OK;
}

void hr_segment_delete(hr_segment *segment, size_t row) {
  segment->live[row / 8] &= (uint8_t)~(1u << row % 8);
  segment->tombstones++;
}

/* --- merging ---------------------------------------------------------------- */

static void copy_row(hr_segment *to, const hr_segment *from, size_t row) {
  hr_blocks_put(to->blocks, to->words, to->count, hr_segment_words(from, row));
  if (to->ids) to->ids[to->count] = hr_segment_id(from, row);
  to->count++;
}

static size_t skip_tombstones(const hr_segment *segment, size_t row) {
  while (row < segment->count && !hr_segment_is_live(segment, row)) row++;
  return row;
}

hr_status hr_segment_merge(hr_segment *segment, hr_segment *more) {
  size_t total = hr_segment_live(segment) + hr_segment_live(more);
  if (total > HR_MAX_ROWS) return HR_TOO_MANY_ROWS;
  hr_segment merged;
  hr_segment_init(&merged, segment->bits);
  memory fresh;
  if (!obtain(&merged, total, true, &fresh)) return HR_NO_MEMORY;
  merged.blocks = fresh.blocks;
  merged.ids = fresh.ids;
  merged.capacity = total;
  memset(merged.blocks, 0, hr_block_count(total) * block_bytes(&merged));
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
  if (total && merged.ids[total - 1] - merged.ids[0] == (int64_t)(total - 1)) {
    merged.first_id = merged.ids[0];
    free(merged.ids);
    merged.ids = NULL;
  }
  hr_segment_free(segment);
  hr_segment_free(more);
  *segment = merged;
  return HR_OK;
}
