/* Growth, look-up and merging of rows. */
#include "storage/segment.h"

#include "base/memory.h"

static size_t code_bytes(uint32_t bits) { return (bits + 7) / 8; }

static size_t block_bytes(const hr_segment *rows) {
  return rows->words * HR_LANES * sizeof(uint64_t);
}

static size_t blocks_for(size_t count) { return (count + HR_LANES - 1) / HR_LANES; }

void hr_segment_init(hr_segment *rows, uint32_t bits) {
  *rows = (hr_segment){.bits = bits, .words = (bits + 63) / 64};
}

void hr_segment_free(hr_segment *rows) {
  if (!rows->borrowed) {
    hr_free_aligned(rows->blocks);
    free(rows->ids);
  }
  free(rows->live);
  hr_segment_init(rows, rows->bits);
}

size_t hr_segment_bytes(const hr_segment *rows) {
  return blocks_for(rows->capacity) * block_bytes(rows) +
         (rows->ids ? rows->capacity * sizeof *rows->ids : 0) +
         (rows->live ? blocks_for(rows->capacity) : 0);
}

/* Packed bytes are little-endian words on every machine. */
static uint64_t load_word(const uint8_t *bytes, size_t size) {
  uint64_t word = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (size_t i = 0; i < size; i++) word |= (uint64_t)bytes[i] << 8 * i;
#else
  memcpy(&word, bytes, size);
#endif
  return word;
}

void hr_words_load(const uint8_t *code, uint32_t bits, uint64_t *words) {
  size_t bytes = code_bytes(bits), full = bytes / 8;
  for (size_t w = 0; w < full; w++) words[w] = load_word(code + w * 8, 8);
  if (bytes % 8) words[full] = load_word(code + full * 8, bytes % 8);
}

/* The last word of a code: its neighbours' bytes are masked off, except at the
 * end of the codes, past which nothing may be read. */
static uint64_t load_rest(const uint8_t *bytes, size_t size, const uint8_t *end) {
  if ((size_t)(end - bytes) < sizeof(uint64_t)) return load_word(bytes, size);
  return load_word(bytes, sizeof(uint64_t)) & (~(uint64_t)0 >> (64 - 8 * size));
}

void hr_blocks_fill(uint64_t *blocks, uint32_t bits, size_t row, const uint8_t *codes, size_t n) {
  size_t words = (bits + 63) / 64, bytes = code_bytes(bits), full = bytes / 8, rest = bytes % 8;
  const uint8_t *end = codes + n * bytes;
  for (; n--; row++, codes += bytes) {
    uint64_t *block = blocks + row / HR_LANES * words * HR_LANES + row % HR_LANES;
    for (size_t w = 0; w < full; w++) block[w * HR_LANES] = load_word(codes + w * 8, 8);
    if (rest) block[full * HR_LANES] = load_rest(codes + full * 8, rest, end);
  }
}

void hr_segment_set_code(hr_segment *rows, size_t row, const uint8_t *code) {
  hr_blocks_fill(rows->blocks, rows->bits, row, code, 1);
}

void hr_segment_set_words(hr_segment *rows, size_t row, const uint64_t *words) {
  uint64_t *block = rows->blocks + row / HR_LANES * rows->words * HR_LANES;
  for (size_t w = 0; w < rows->words; w++)
    block[w * HR_LANES + row % HR_LANES] = words[w * HR_LANES];
}

void hr_segment_code(const hr_segment *rows, size_t row, uint8_t *code) {
  size_t bytes = code_bytes(rows->bits);
  for (size_t i = 0; i < bytes; i++)
    code[i] = (uint8_t)(hr_segment_word(rows, row, i / 8) >> i % 8 * 8);
}

size_t hr_segment_lower_bound(const hr_segment *rows, int64_t id) {
  size_t low = 0, high = rows->count;
  if (!rows->ids) {
    if (id <= rows->first_id) return 0;
    uint64_t offset = (uint64_t)id - (uint64_t)rows->first_id;
    return offset < high ? (size_t)offset : high;
  }
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (rows->ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

size_t hr_segment_find(const hr_segment *rows, int64_t id) {
  size_t row = hr_segment_lower_bound(rows, id);
  bool found = row < rows->count && hr_segment_id(rows, row) == id && hr_segment_is_live(rows, row);
  return found ? row : HR_NO_ROW;
}

/* --- growth ---------------------------------------------------------------- */

/* New memory of at least `capacity` rows that starts with the present ones. */
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

static bool obtain(const hr_segment *rows, size_t capacity, bool with_ids, memory *fresh) {
  *fresh = (memory){0};
  size_t blocks = blocks_for(capacity);
  if (blocks > SIZE_MAX / block_bytes(rows)) return false;
  fresh->blocks = hr_alloc_aligned(blocks * block_bytes(rows));
  fresh->ids = with_ids ? hr_alloc(capacity, sizeof *fresh->ids) : NULL;
  fresh->live = rows->live ? hr_alloc(blocks, 1) : NULL;
  if (fresh->blocks && (fresh->ids || !with_ids) && (fresh->live || !rows->live)) return true;
  discard(fresh);
  return false;
}

static hr_status grow(hr_segment *rows, size_t capacity, bool with_ids) {
  memory fresh;
  if (!obtain(rows, capacity, with_ids, &fresh)) return HR_NO_MEMORY;
  size_t used = hr_segment_blocks(rows);
  if (used) memcpy(fresh.blocks, rows->blocks, used * block_bytes(rows));
  if (fresh.live) memcpy(fresh.live, rows->live, used);
  if (with_ids)
    for (size_t i = 0; i < rows->count; i++) fresh.ids[i] = hr_segment_id(rows, i);
  hr_segment next = *rows;
  next.blocks = fresh.blocks;
  next.ids = fresh.ids;
  next.live = fresh.live;
  next.capacity = capacity;
  next.borrowed = false;
  hr_segment_free(rows);
  *rows = next;
  return HR_OK;
}

hr_status hr_segment_own(hr_segment *rows) {
  return rows->borrowed ? grow(rows, rows->count, rows->ids != NULL) : HR_OK;
}

static bool consecutive(const hr_segment *rows, const int64_t *ids, size_t n) {
  if (rows->ids) return false;
  uint64_t expected = (uint64_t)(rows->count ? rows->first_id : ids[0]) + rows->count;
  for (size_t i = 0; i < n; i++)
    if ((uint64_t)ids[i] != expected + i) return false;
  return true;
}

/* Doubling, except that the first rows get just the room they need: most
 * indexes are built by one call. */
static size_t next_capacity(const hr_segment *rows, size_t needed) {
  size_t doubled = rows->capacity + rows->capacity / 2;
  return needed > doubled ? needed : doubled;
}

hr_status hr_segment_append(hr_segment *rows, const uint8_t *codes, const int64_t *ids, size_t n) {
  if (!n) return HR_OK;
  if (n > HR_MAX_ROWS - rows->count) return HR_TOO_MANY_ROWS;
  size_t needed = rows->count + n;
  bool with_ids = !consecutive(rows, ids, n);
  if (needed > rows->capacity || rows->borrowed || with_ids != (rows->ids != NULL)) {
    size_t capacity = needed > rows->capacity ? next_capacity(rows, needed) : rows->capacity;
    hr_status status = grow(rows, capacity, with_ids);
    if (status) return status;
  }
  if (!rows->count) rows->first_id = ids[0];
  size_t from = hr_segment_blocks(rows), to = blocks_for(needed);
  memset(rows->blocks + from * rows->words * HR_LANES, 0, (to - from) * block_bytes(rows));
  if (rows->live) memset(rows->live + from, 0, to - from);
  hr_blocks_fill(rows->blocks, rows->bits, rows->count, codes, n);
  if (rows->ids) memcpy(rows->ids + rows->count, ids, n * sizeof *ids);
  if (rows->live)
    for (size_t row = rows->count; row < needed; row++)
      rows->live[row / 8] |= (uint8_t)(1u << row % 8);
  rows->count = needed;
  return HR_OK;
}

hr_status hr_segment_reserve(hr_segment *rows, const hr_segment *like) {
  memory fresh;
  hr_segment_init(rows, like->bits);
  rows->live = like->live; /* for `obtain` to copy its presence */
  bool ok = obtain(rows, like->count, like->ids != NULL, &fresh);
  rows->live = NULL;
  if (!ok) return HR_NO_MEMORY;
  size_t blocks = blocks_for(like->count);
  if (blocks) memset(fresh.blocks, 0, blocks * block_bytes(rows));
  for (size_t row = 0; fresh.ids && row < like->count; row++) fresh.ids[row] = like->ids[row];
  if (fresh.live && blocks) memcpy(fresh.live, like->live, blocks);
  rows->blocks = fresh.blocks;
  rows->ids = fresh.ids;
  rows->live = fresh.live;
  rows->first_id = like->first_id;
  rows->count = rows->capacity = like->count;
  rows->dead = like->dead;
  return HR_OK;
}

hr_status hr_segment_copy(const hr_segment *rows, hr_segment *out) {
  hr_status status = hr_segment_reserve(out, rows);
  size_t blocks = hr_segment_blocks(rows);
  if (!status && blocks) memcpy(out->blocks, rows->blocks, blocks * block_bytes(rows));
  return status;
}

hr_status hr_segment_open_live(hr_segment *rows) {
  if (rows->live) return HR_OK;
  rows->live = hr_alloc_zero(blocks_for(rows->capacity), 1);
  if (!rows->live) return HR_NO_MEMORY;
  for (size_t row = 0; row < rows->count; row++) rows->live[row / 8] |= (uint8_t)(1u << row % 8);
  return HR_OK;
}

void hr_segment_delete(hr_segment *rows, size_t row) {
  rows->live[row / 8] &= (uint8_t)~(1u << row % 8);
  rows->dead++;
}

/* --- merging ---------------------------------------------------------------- */

static void copy_row(hr_segment *to, const hr_segment *from, size_t row) {
  uint64_t *block = to->blocks + to->count / HR_LANES * to->words * HR_LANES;
  for (size_t w = 0; w < to->words; w++)
    block[w * HR_LANES + to->count % HR_LANES] = hr_segment_word(from, row, w);
  if (to->ids) to->ids[to->count] = hr_segment_id(from, row);
  to->count++;
}

static size_t skip_dead(const hr_segment *rows, size_t row) {
  while (row < rows->count && !hr_segment_is_live(rows, row)) row++;
  return row;
}

hr_status hr_segment_merge(hr_segment *rows, hr_segment *more) {
  size_t total = rows->count - rows->dead + more->count - more->dead;
  if (total > HR_MAX_ROWS) return HR_TOO_MANY_ROWS;
  hr_segment merged;
  hr_segment_init(&merged, rows->bits);
  memory fresh;
  if (!obtain(&merged, total, true, &fresh)) return HR_NO_MEMORY;
  merged.blocks = fresh.blocks;
  merged.ids = fresh.ids;
  merged.capacity = total;
  memset(merged.blocks, 0, blocks_for(total) * block_bytes(&merged));
  size_t a = skip_dead(rows, 0), b = skip_dead(more, 0);
  while (merged.count < total) {
    bool first =
        b == more->count || (a < rows->count && hr_segment_id(rows, a) < hr_segment_id(more, b));
    copy_row(&merged, first ? rows : more, first ? a : b);
    if (first)
      a = skip_dead(rows, a + 1);
    else
      b = skip_dead(more, b + 1);
  }
  if (total && merged.ids[total - 1] - merged.ids[0] == (int64_t)(total - 1)) {
    merged.first_id = merged.ids[0];
    free(merged.ids);
    merged.ids = NULL;
  }
  hr_segment_free(rows);
  hr_segment_free(more);
  *rows = merged;
  return HR_OK;
}
