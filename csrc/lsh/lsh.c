/* Building bucket tables, and looking into them. */
#include "lsh/lsh.h"

#include "base/bitstring.h"
#include "base/cancel.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "base/radix_sort.h"
#include "kernels/dispatch.h"

/* Rows grouped by slot, ascending within a group. A slot is the key itself where
 * that can be addressed directly; else the top bits of its hash, and keys are
 * compared: there are about as many slots as rows, so that a probe meets few. */
typedef struct {
  uint32_t *starts; /* 2^slot_bits + 1 */
  uint32_t *rows;   /* COPIED_ROWS more than are listed */
  uint64_t *keys;   /* NULL when addressed directly */
} table;

struct hr_lsh {
  uint32_t tables, width, slot_bits;
  size_t count;
  bool direct;
  table *table;
};

/* A bucket is copied in pieces of this many rows: most hold few, and a call of
 * memcpy costs more than the piece. */
#define COPIED_ROWS 8

#define MIN_SLOT_BITS 8
#define MAX_SLOT_BITS 28
/* Direct addressing may spend this many more bits than one slot a row needs. */
#define DIRECT_SLACK 2

static uint64_t row_key(const hr_source *source, size_t row, uint32_t start, uint32_t width) {
  return hr_substring(hr_code_at(source->blocks, source->words, row), HR_LANES, start, width);
}

static size_t slot_of(const hr_lsh *lsh, uint64_t key) {
  /* Fibonacci hashing: a bijection, so that equal hashes of equal widths are equal keys. */
  return lsh->direct ? (size_t)key : (size_t)(key * 0x9E3779B97F4A7C15u >> (64 - lsh->slot_bits));
}

static bool open_table(const hr_lsh *lsh, table *t) {
  t->starts = hr_alloc_zero(((size_t)1 << lsh->slot_bits) + 1, sizeof *t->starts);
  t->rows = hr_alloc_zero(lsh->count + COPIED_ROWS, sizeof *t->rows);
  t->keys = lsh->direct ? NULL : hr_alloc(lsh->count, sizeof *t->keys);
  return t->starts && t->rows && (t->keys || lsh->direct);
}

static hr_status build_table(hr_lsh *lsh, const hr_source *source, uint32_t number,
                             const int *cancel) {
  table *t = &lsh->table[number];
  size_t slots = (size_t)1 << lsh->slot_bits;
  uint32_t start = number * lsh->width;
  if (!open_table(lsh, t)) return HR_NO_MEMORY;
  for (size_t row = 0; row < lsh->count; row++) {
    if (row % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    t->starts[slot_of(lsh, row_key(source, row, start, lsh->width)) + 1]++;
  }
  hr_starts(t->starts, slots);
  for (size_t row = 0; row < lsh->count; row++) {
    if (row % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    uint64_t key = row_key(source, row, start, lsh->width);
    uint32_t at = t->starts[slot_of(lsh, key)]++;
    t->rows[at] = (uint32_t)row;
    if (t->keys) t->keys[at] = key;
  }
  hr_starts_again(t->starts, slots);
  return HR_OK;
}

static uint32_t slot_bits_for(size_t count) {
  uint32_t bits = MIN_SLOT_BITS;
  while (bits < MAX_SLOT_BITS && (size_t)1 << bits < count) bits++;
  return bits;
}

hr_status hr_lsh_build(const hr_segment *rows, uint32_t tables, const int *cancel, hr_lsh **out) {
  hr_source source = hr_source_of_segment(rows, NULL);
  hr_lsh *lsh = hr_alloc_zero(1, sizeof *lsh);
  if (!lsh) return HR_NO_MEMORY;
  lsh->tables = tables;
  lsh->width = rows->bits / tables;
  lsh->count = rows->count;
  lsh->slot_bits = slot_bits_for(rows->count);
  lsh->direct = lsh->width <= lsh->slot_bits + DIRECT_SLACK;
  if (lsh->direct) lsh->slot_bits = lsh->width;
  lsh->table = hr_alloc_zero(tables, sizeof *lsh->table);
  hr_status status = lsh->table ? HR_OK : HR_NO_MEMORY;
  for (uint32_t t = 0; !status && t < tables; t++) status = build_table(lsh, &source, t, cancel);
  if (status) {
    hr_lsh_free(lsh);
    return status;
  }
  *out = lsh;
  return HR_OK;
}

void hr_lsh_free(hr_lsh *lsh) {
  if (!lsh) return;
  for (uint32_t t = 0; lsh->table && t < lsh->tables; t++) {
    free(lsh->table[t].starts);
    free(lsh->table[t].rows);
    free(lsh->table[t].keys);
  }
  free(lsh->table);
  free(lsh);
}

size_t hr_lsh_count(const hr_lsh *lsh) { return lsh->count; }

size_t hr_lsh_bytes(const hr_lsh *lsh) {
  size_t row = sizeof(uint32_t) + (lsh->direct ? 0 : sizeof(uint64_t));
  return lsh->tables * (lsh->count * row + COPIED_ROWS * sizeof(uint32_t) +
                        (((size_t)1 << lsh->slot_bits) + 1) * sizeof(uint32_t));
}

/* --- candidates --------------------------------------------------------------
 *
 * A query costs about 15 ns a bucket (the mispredicted end of copying) and 13 ns
 * a candidate, its repeats, sorting, comparing and choosing included: fitted to
 * 8, 136 and 1,096 buckets with 462, 2,164 and 5,882 candidates of 60,000 codes
 * of 128 bits, 2.3 GHz. Without reading ahead a bucket took 22 ns. Of 256 bits a
 * candidate lies on four cache lines, and comparing takes a third of the time.
 */

typedef struct {
  uint32_t *rows;
  size_t size, capacity;
} list;

/* Appends the rows of a slot that have this key. */
static bool append(list *found, const table *t, const uint32_t *starts, uint64_t key) {
  size_t from = starts[0], end = starts[1], room = found->size + end - from + COPIED_ROWS;
  if (from == end) return true;
  if (!hr_grow(&found->rows, &found->capacity, room, sizeof *found->rows)) return false;
  uint32_t *to = found->rows + found->size, kept = 0;
  if (t->keys) {
    for (size_t i = from; i < end; i++) {
      to[kept] = t->rows[i];
      kept += t->keys[i] == key;
    }
    found->size += kept;
  } else {
    for (size_t i = from; i < end; i += COPIED_ROWS, to += COPIED_ROWS)
      memcpy(to, t->rows + i, COPIED_ROWS * sizeof *to);
    found->size += end - from;
  }
  return true;
}

/* Buckets are looked at by so many, of one table or of several, so that their reads overlap. */
#define TOGETHER 32

typedef struct {
  const table *table;
  const uint32_t *starts; /* of its slot */
} bucket;

/* The buckets of probes [from, from + count), counted over all tables. */
static void find_buckets(const hr_lsh *lsh, const hr_keys *keys, size_t from, size_t count,
                         bucket *buckets) {
  const table *t = &lsh->table[from / keys->count];
  size_t left = keys->count - from % keys->count;
  for (size_t i = 0; i < count; i++, left--) {
    if (!left) {
      t++;
      left = keys->count;
    }
    buckets[i] = (bucket){t, t->starts + slot_of(lsh, keys->keys[from + i])};
    HR_PREFETCH(buckets[i].starts);
  }
  for (size_t i = 0; i < count; i++) HR_PREFETCH(buckets[i].table->rows + *buckets[i].starts);
}

static hr_status collect(const hr_lsh *lsh, const hr_keys *keys, list *found) {
  size_t all = (size_t)keys->tables * keys->count;
  for (size_t first = 0; first < all; first += TOGETHER) {
    bucket buckets[TOGETHER];
    size_t count = all - first < TOGETHER ? all - first : TOGETHER;
    find_buckets(lsh, keys, first, count, buckets);
    for (size_t i = 0; i < count; i++)
      if (!append(found, buckets[i].table, buckets[i].starts, keys->keys[first + i]))
        return HR_NO_MEMORY;
  }
  return HR_OK;
}

static hr_status sort_unique(list *found) {
  if (!found->size) return HR_OK;
  if (!hr_grow(&found->rows, &found->capacity, 2 * found->size, sizeof *found->rows))
    return HR_NO_MEMORY;
  hr_sort_rows(found->rows, found->size, found->rows + found->size);
  size_t kept = 1;
  uint32_t last = found->rows[0];
  for (size_t i = 1; i < found->size; i++) {
    uint32_t row = found->rows[i];
    found->rows[kept] = row;
    kept += row != last;
    last = row;
  }
  found->size = kept;
  return HR_OK;
}

static int by_value(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

static bool in_bucket(const hr_keys *keys, const hr_source *source, size_t row) {
  for (uint32_t t = 0; t < keys->tables; t++) {
    uint64_t key = row_key(source, row, t * keys->width, keys->width);
    if (bsearch(&key, keys->keys + (size_t)t * keys->count, keys->count, sizeof key, by_value))
      return true;
  }
  return false;
}

static hr_status compare_untabled(const hr_source *source, size_t first, hr_keys *keys,
                                  list *found) {
  for (uint32_t t = 0; first < source->count && t < keys->tables; t++)
    qsort(keys->keys + (size_t)t * keys->count, keys->count, sizeof *keys->keys, by_value);
  for (size_t row = first; row < source->count; row++) {
    if (!in_bucket(keys, source, row)) continue;
    if (!hr_grow(&found->rows, &found->capacity, found->size + 1, sizeof *found->rows))
      return HR_NO_MEMORY;
    found->rows[found->size++] = (uint32_t)row;
  }
  return HR_OK;
}

static void keep_allowed(list *found, const hr_source *source) {
  size_t kept = 0;
  for (size_t i = 0; i < found->size; i++) {
    uint32_t row = found->rows[i];
    if (row / HR_LANES < source->first || row / HR_LANES >= source->end) continue;
    if (!source->allow || hr_bit(source->allow, row)) found->rows[kept++] = row;
  }
  found->size = kept;
}

/* The rows, ascending and once each, that share a bucket with the query. */
static hr_status find_candidates(const hr_lsh *lsh, const hr_source *source, hr_keys *keys,
                                 list *found) {
  hr_status status = lsh ? collect(lsh, keys, found) : HR_OK;
  if (!status) status = sort_unique(found);
  if (!status) status = compare_untabled(source, lsh ? lsh->count : 0, keys, found);
  if (!status && (source->allow || source->end - source->first < hr_block_count(source->count)))
    keep_allowed(found, source);
  return status;
}

/* Candidates are compared so many at once. */
#define COMPARED ((size_t)1024)

static bool compare(const list *found, const hr_source *source, const uint64_t *query,
                    hr_collector *collector) {
  uint16_t distances[COMPARED];
  bool ok = true;
  for (size_t from = 0; ok && from < found->size; from += COMPARED) {
    size_t count = found->size - from < COMPARED ? found->size - from : COMPARED;
    const uint32_t *rows = found->rows + from;
    hr_active_kernels()->distances_at(source->blocks, source->words, rows, count, query, distances);
    for (size_t i = 0; ok && i < count; i++)
      ok = hr_collector_offer_row(collector, distances[i], rows[i]);
  }
  return ok;
}

hr_status hr_lsh_search(const hr_lsh *lsh, const hr_source *source, const hr_lsh_options *options,
                        const hr_queries *queries, hr_collector *collectors) {
  hr_status status = HR_OK;
  list found = {0};
  for (size_t q = 0; !status && source->first < source->end && q < queries->count; q++) {
    const uint64_t *query = hr_query(queries, q);
    const float *margins = options->margins ? options->margins + q * options->bits : NULL;
    hr_keys keys;
    if (hr_cancelled(queries->cancel)) status = HR_CANCELLED;
    if (!status) status = hr_keys_open(options, query, margins, &keys);
    if (status) break;
    found.size = 0;
    status = find_candidates(lsh, source, &keys, &found);
    queries->work->probed += (uint64_t)keys.tables * keys.count;
    queries->work->checked += found.size;
    hr_keys_close(&keys);
    if (!status && !compare(&found, source, query, &collectors[q])) status = HR_NO_MEMORY;
  }
  free(found.rows);
  return status;
}
