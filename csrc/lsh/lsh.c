/* Bucket tables and probing. */
#include "lsh/lsh.h"

#include "base/bitstring.h"
#include "base/memory.h"
#include "base/row_sort.h"

/* Rows grouped by slot, ascending within a group. A slot is the key itself
 * where that can be addressed directly; else the top bits of its hash, and
 * the group is sorted by key. */
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

static uint64_t row_key(const hr_segment *rows, size_t row, uint32_t start, uint32_t width) {
  const uint64_t *word = rows->blocks + row / HR_LANES * rows->words * HR_LANES + row % HR_LANES;
  return hr_substring(word, HR_LANES, start, width);
}

static size_t slot_of(const hr_lsh *lsh, uint64_t key) {
  /* Fibonacci hashing: a bijection, so that equal hashes of equal widths are equal keys. */
  return lsh->direct ? (size_t)key : (size_t)(key * 0x9E3779B97F4A7C15u >> (64 - lsh->slot_bits));
}

/* --- building --------------------------------------------------------------- */

typedef struct {
  uint64_t key;
  uint32_t row;
} entry;

static int by_key_then_row(const void *left, const void *right) {
  const entry *a = left, *b = right;
  if (a->key != b->key) return a->key < b->key ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

static hr_status sort_group(table *t, size_t from, size_t to) {
  bool mixed = false;
  for (size_t i = from + 1; i < to && !mixed; i++) mixed = t->keys[i] != t->keys[from];
  if (!mixed) return HR_OK;
  entry *entries = hr_alloc(to - from, sizeof *entries);
  if (!entries) return HR_NO_MEMORY;
  for (size_t i = from; i < to; i++) entries[i - from] = (entry){t->keys[i], t->rows[i]};
  qsort(entries, to - from, sizeof *entries, by_key_then_row);
  for (size_t i = from; i < to; i++) {
    t->keys[i] = entries[i - from].key;
    t->rows[i] = entries[i - from].row;
  }
  free(entries);
  return HR_OK;
}

static hr_status build_table(hr_lsh *lsh, const hr_segment *rows, uint32_t number,
                             const int *cancel) {
  table *t = &lsh->table[number];
  size_t slots = (size_t)1 << lsh->slot_bits;
  uint32_t start = number * lsh->width;
  t->starts = hr_alloc_zero(slots + 1, sizeof *t->starts);
  t->rows = hr_alloc_zero(lsh->count + COPIED_ROWS, sizeof *t->rows);
  t->keys = lsh->direct ? NULL : hr_alloc(lsh->count, sizeof *t->keys);
  if (!t->starts || !t->rows || (!t->keys && !lsh->direct)) return HR_NO_MEMORY;
  for (size_t row = 0; row < lsh->count; row++) {
    if (row % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    t->starts[slot_of(lsh, row_key(rows, row, start, lsh->width)) + 1]++;
  }
  for (size_t s = 0; s < slots; s++) t->starts[s + 1] += t->starts[s];
  for (size_t row = 0; row < lsh->count; row++) {
    if (row % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    uint64_t key = row_key(rows, row, start, lsh->width);
    uint32_t at = t->starts[slot_of(lsh, key)]++;
    t->rows[at] = (uint32_t)row;
    if (t->keys) t->keys[at] = key;
  }
  memmove(t->starts + 1, t->starts, slots * sizeof *t->starts);
  t->starts[0] = 0;
  hr_status status = HR_OK;
  for (size_t s = 0; !lsh->direct && !status && s < slots; s++)
    if (t->starts[s + 1] - t->starts[s] > 1) status = sort_group(t, t->starts[s], t->starts[s + 1]);
  return status;
}

static uint32_t slot_bits_for(size_t count) {
  uint32_t bits = MIN_SLOT_BITS;
  while (bits < MAX_SLOT_BITS && (size_t)1 << bits < count) bits++;
  return bits;
}

hr_status hr_lsh_build(const hr_segment *rows, uint32_t tables, const int *cancel, hr_lsh **out) {
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
  for (uint32_t t = 0; !status && t < tables; t++) status = build_table(lsh, rows, t, cancel);
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

/* --- probing ---------------------------------------------------------------- */

/* A set of bits to flip, as ranks in the order of rising cost. */
typedef struct {
  double cost;
  uint64_t ranks;
} flips;

/* Cheaper first; among equals fewer flips, then lower ranks: a total order. */
static bool before(const flips *a, const flips *b) {
  if (a->cost != b->cost) return a->cost < b->cost;
  uint32_t flips_a = hr_popcount(a->ranks), flips_b = hr_popcount(b->ranks);
  return flips_a != flips_b ? flips_a < flips_b : a->ranks < b->ranks;
}

static void heap_push(flips *heap, size_t *size, flips item) {
  size_t i = (*size)++;
  for (; i && before(&item, &heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
  heap[i] = item;
}

static flips heap_pop(flips *heap, size_t *size) {
  flips top = heap[0], last = heap[--*size];
  size_t i = 0;
  for (size_t child; (child = 2 * i + 1) < *size; i = child) {
    if (child + 1 < *size && before(&heap[child + 1], &heap[child])) child++;
    if (!before(&heap[child], &last)) break;
    heap[i] = heap[child];
  }
  heap[i] = last;
  return top;
}

typedef struct {
  double cost;
  uint32_t bit;
} priced;

static int by_cost(const void *left, const void *right) {
  const priced *a = left, *b = right;
  if (a->cost != b->cost) return a->cost < b->cost ? -1 : 1;
  return a->bit < b->bit ? -1 : a->bit > b->bit;
}

/* Fills `masks` with the `count` cheapest sets of flips, the empty one first.
 * Each set has two children, its last rank moved on by one and the next rank
 * added, so that a heap of at most count + 1 sets yields all in order. */
static void cheapest_flips(const priced *bits, uint32_t width, uint32_t count, flips *heap,
                           uint64_t *masks) {
  size_t size = 0;
  masks[0] = 0;
  heap_push(heap, &size, (flips){bits[0].cost, 1});
  for (uint32_t i = 1; i < count; i++) {
    flips next = heap_pop(heap, &size);
    uint64_t mask = 0;
    uint32_t last = 0;
    for (uint32_t r = 0; r < width; r++)
      if (next.ranks >> r & 1) {
        mask |= (uint64_t)1 << (width - 1 - bits[r].bit);
        last = r;
      }
    masks[i] = mask;
    if (last + 1 == width) continue;
    uint64_t added = (uint64_t)1 << (last + 1), moved = next.ranks ^ ((uint64_t)1 << last);
    heap_push(heap, &size, (flips){next.cost + bits[last + 1].cost, next.ranks | added});
    heap_push(heap, &size,
              (flips){next.cost - bits[last].cost + bits[last + 1].cost, moved | added});
  }
}

/* The next larger number with as many bits set (Gosper; HAKMEM item 175). */
static uint64_t next_combination(uint64_t x) {
  uint64_t lowest = x & (~x + 1), carried = x + lowest;
  return carried | ((x ^ carried) >> 2) / lowest;
}

/* The same order where all flips cost the same: fewer first, then lower ranks. */
static void fewest_flips(uint32_t width, uint32_t count, uint64_t *masks) {
  uint64_t ranks = 0;
  uint32_t flipped = 0;
  for (uint32_t i = 0; i < count; i++) {
    masks[i] = 0;
    for (uint32_t r = 0; r < width; r++) masks[i] |= (ranks >> r & 1) << (width - 1 - r);
    bool last = !ranks || ranks >> (width - flipped) == ((uint64_t)1 << flipped) - 1;
    ranks = last ? ((uint64_t)1 << ++flipped) - 1 : next_combination(ranks);
  }
}

static void price_flips(uint32_t width, const float *margins, uint32_t count, flips *heap,
                        uint64_t *masks) {
  priced order[64];
  for (uint32_t b = 0; b < width; b++) {
    double margin = margins[b];
    order[b] = (priced){margin * margin, b};
  }
  qsort(order, width, sizeof *order, by_cost);
  cheapest_flips(order, width, count, heap, masks);
}

hr_status hr_probes_open(uint32_t bits, uint32_t tables, uint32_t count, const uint64_t *query,
                         const float *margins, hr_probes *probes) {
  uint32_t width = bits / tables;
  if (width < 32 && count > (uint32_t)1 << width) count = (uint32_t)1 << width;
  *probes = (hr_probes){.tables = tables, .width = width, .count = count};
  probes->keys = hr_alloc((size_t)(tables + 1) * count, sizeof *probes->keys);
  flips *heap = margins ? hr_alloc((size_t)count + 2, sizeof *heap) : NULL;
  hr_status status = probes->keys && (heap || !margins) ? HR_OK : HR_NO_MEMORY;
  uint64_t *masks = probes->keys + (size_t)tables * count;
  if (!status && !margins) fewest_flips(width, count, masks); /* the same in every table */
  for (uint32_t t = 0; !status && t < tables; t++) {
    if (margins) price_flips(width, margins + t * width, count, heap, masks);
    uint64_t *keys = probes->keys + (size_t)t * count,
             own = hr_substring(query, 1, t * width, width);
    for (uint32_t i = 0; i < count; i++) keys[i] = own ^ masks[i];
  }
  free(heap);
  if (status) hr_probes_close(probes);
  return status;
}

void hr_probes_close(hr_probes *probes) {
  free(probes->keys);
  probes->keys = NULL;
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

/* Rows of most queries and their copies while they are sorted. */
#define LEAST_CAPACITY ((size_t)4096)

static bool reserve(list *found, size_t more) {
  if (more <= found->capacity - found->size) return true;
  size_t capacity = found->size + more + found->capacity + LEAST_CAPACITY;
  uint32_t *rows = realloc(found->rows, capacity * sizeof *rows);
  if (!rows) return false;
  found->rows = rows;
  found->capacity = capacity;
  return true;
}

/* The part [*from, *to) of a slot's group that has this key. */
static void narrow(const table *t, uint64_t key, size_t *from, size_t *to) {
  for (int upper = 0; upper < 2; upper++) {
    size_t low = *from, high = *to;
    while (low < high) {
      size_t middle = low + (high - low) / 2;
      if (t->keys[middle] < key || (upper && t->keys[middle] == key))
        low = middle + 1;
      else
        high = middle;
    }
    *(upper ? to : from) = low;
  }
}

static bool append(list *found, const uint32_t *rows, size_t count) {
  if (!reserve(found, count + COPIED_ROWS)) return false;
  for (size_t i = 0; i < count; i += COPIED_ROWS)
    memcpy(found->rows + found->size + i, rows + i, COPIED_ROWS * sizeof *rows);
  found->size += count;
  return true;
}

/* Buckets are looked at by so many, of one table or of several, so that their reads overlap. */
#define TOGETHER 32

typedef struct {
  const table *table;
  const uint32_t *starts; /* of its slot */
} bucket;

/* The buckets of probes [from, from + count), counted over all tables. */
static void find_buckets(const hr_lsh *lsh, const hr_probes *probes, size_t from, size_t count,
                         bucket *buckets) {
  const table *t = &lsh->table[from / probes->count];
  size_t left = probes->count - from % probes->count;
  for (size_t i = 0; i < count; i++, left--) {
    if (!left) {
      t++;
      left = probes->count;
    }
    buckets[i] = (bucket){t, t->starts + slot_of(lsh, probes->keys[from + i])};
    HR_PREFETCH(buckets[i].starts);
  }
  for (size_t i = 0; i < count; i++) HR_PREFETCH(buckets[i].table->rows + *buckets[i].starts);
}

static hr_status collect(const hr_lsh *lsh, const hr_probes *probes, list *found) {
  size_t all = (size_t)probes->tables * probes->count;
  for (size_t first = 0; first < all; first += TOGETHER) {
    bucket buckets[TOGETHER];
    size_t count = all - first < TOGETHER ? all - first : TOGETHER;
    find_buckets(lsh, probes, first, count, buckets);
    for (size_t i = 0; i < count; i++) {
      const table *t = buckets[i].table;
      size_t from = buckets[i].starts[0], to = buckets[i].starts[1];
      if (t->keys) narrow(t, probes->keys[first + i], &from, &to);
      if (from < to && !append(found, t->rows + from, to - from)) return HR_NO_MEMORY;
    }
  }
  return HR_OK;
}

static hr_status sort_unique(list *found) {
  if (!found->size) return HR_OK;
  if (!reserve(found, found->size)) return HR_NO_MEMORY;
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

/* --- rows that the tables do not know ------------------------------------------ */

static int by_value(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

static bool in_bucket(const hr_probes *probes, const hr_segment *rows, size_t row) {
  for (uint32_t t = 0; t < probes->tables; t++) {
    uint64_t key = row_key(rows, row, t * probes->width, probes->width);
    if (bsearch(&key, probes->keys + (size_t)t * probes->count, probes->count, sizeof key,
                by_value))
      return true;
  }
  return false;
}

static hr_status compare_untabled(const hr_segment *rows, size_t first, hr_probes *probes,
                                  list *found) {
  for (uint32_t t = 0; first < rows->count && t < probes->tables; t++)
    qsort(probes->keys + (size_t)t * probes->count, probes->count, sizeof *probes->keys, by_value);
  for (size_t row = first; row < rows->count; row++) {
    if (!in_bucket(probes, rows, row)) continue;
    if (!reserve(found, 1)) return HR_NO_MEMORY;
    found->rows[found->size++] = (uint32_t)row;
  }
  return HR_OK;
}

hr_status hr_lsh_candidates(const hr_lsh *lsh, const hr_segment *rows, hr_probes *probes,
                            uint32_t **out, size_t *count) {
  list found = {0};
  hr_status status = lsh ? collect(lsh, probes, &found) : HR_OK;
  if (!status) status = sort_unique(&found);
  if (!status) status = compare_untabled(rows, lsh ? lsh->count : 0, probes, &found);
  if (status) {
    free(found.rows);
    return status;
  }
  *out = found.rows;
  *count = found.size;
  return HR_OK;
}
