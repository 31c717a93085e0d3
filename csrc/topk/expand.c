/* Rows in order.
 *
 * Listing them costs, a row: 1 ns to take it from its entry if others stand beside it, or a far
 * read that overlaps with others; then its place among the others, 2 ns a digit, or where rows are
 * dense 3 ns by marks and 0.5 ns for each word of 64 marks.
 */
#include "topk/expand.h"

#include "base/bitstring.h"
#include "base/memory.h"
#include "base/radix_sort.h"

void hr_expansion_close(hr_expansion *expansion) {
  free(expansion->items);
  free(expansion->rows);
  free(expansion->spare);
  free(expansion->marks);
  free(expansion->distances);
}

static bool reserve_more(hr_neighbors *out, size_t more) {
  return hr_grow(&out->list, &out->capacity, out->size + more, sizeof *out->list);
}

/* Rows, which came ascending: a counting sort by distance, whose counts are known. */
static bool expand_rows(const hr_collector *collector, hr_neighbors *out) {
  size_t next[HR_MAX_BITS + 2];
  uint32_t reach = hr_collector_reach(collector);
  if (!reserve_more(out, collector->size)) return false;
  next[0] = out->size;
  for (uint32_t d = 0; d <= reach; d++) next[d + 1] = next[d] + collector->counts[d];
  size_t found = next[reach + 1] - out->size;
  for (size_t i = 0; i < collector->size; i++) {
    uint32_t distance = hr_taken_distance(collector, i);
    if (distance <= reach)
      out->list[next[distance]++] = (hr_neighbor){distance, hr_taken_item(collector, i)};
  }
  out->size += found < collector->k ? found : collector->k;
  return true;
}

/* How far ahead of their turn entries are fetched. */
#define AHEAD 16

/* Adds the first rows of an entry that may pass, `room` at most, to the `n` that are there. */
static size_t take_rows(hr_expansion *e, size_t entry, size_t room, size_t n) {
  const hr_postings *postings = e->of;
  size_t from = hr_postings_start(postings, entry), end = hr_postings_start(postings, entry + 1);
  uint32_t *rows = e->rows + n;
  size_t taken = 0;
  for (size_t i = from; i < end && taken < room; i++) {
    uint32_t row = postings->order[i];
    if (row >= postings->rows.count) continue; /* a damaged file, mapped unchecked */
    rows[taken] = row;
    taken += !e->passing || hr_bit(e->passing, row);
  }
  return n + taken;
}

/* The rows of entries that are one row each. */
static size_t take_single(hr_expansion *e, const uint32_t *entries, size_t count) {
  const hr_postings *postings = e->of;
  uint32_t *rows = e->rows;
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (i + AHEAD < count) HR_PREFETCH(&postings->order[entries[i + AHEAD]]);
    rows[n] = postings->order[entries[i]];
    n += rows[n] < postings->rows.count;
  }
  return n;
}

/* How many rows entries have, `room` of each at most. */
static size_t count_rows(hr_expansion *e, const uint32_t *entries, size_t count, size_t room) {
  const hr_postings *postings = e->of;
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (postings->starts && i + AHEAD < count) HR_PREFETCH(&postings->starts[entries[i + AHEAD]]);
    size_t from = hr_postings_start(postings, entries[i]),
           end = hr_postings_start(postings, entries[i] + 1);
    if (end > from) sum += end - from < room ? end - from : room;
    HR_PREFETCH(&postings->order[from]);
  }
  return sum;
}

/* Gathers the rows of entries at one distance, `room` of each at most; SIZE_MAX when out of
 * memory. */
static size_t gather(hr_expansion *e, const uint32_t *entries, size_t count, size_t room) {
  bool single = !e->of->starts && !e->passing; /* each entry is one row that may be found */
  size_t most = single ? count : count_rows(e, entries, count, room), n = 0;
  /* One more, since a row that may not pass is written before it is known. */
  if (!hr_grow(&e->rows, &e->rows_room, most + 1, sizeof *e->rows)) return SIZE_MAX;
  if (single) return take_single(e, entries, count);
  for (size_t i = 0; i < count; i++) n = take_rows(e, entries[i], room, n);
  return n;
}

/* Appends the first `room` of the n rows that were gathered, ascending. */
static bool append(hr_expansion *e, size_t n, size_t room, uint32_t distance, hr_neighbors *out) {
  if (n >= HR_FEW_ROWS && !hr_grow(&e->spare, &e->spare_room, n, sizeof *e->spare)) return false;
  hr_sort_rows(e->rows, n, e->spare);
  if (n > room) n = room;
  if (!reserve_more(out, n)) return false;
  for (size_t i = 0; i < n; i++) out->list[out->size + i] = (hr_neighbor){distance, e->rows[i]};
  out->size += n;
  return true;
}

/* One distance after the other. */
static bool expand_entries(hr_expansion *e, hr_neighbors *out) {
  const hr_collector *collector = e->collector;
  size_t starts[HR_MAX_BITS + 3], left = collector->k;
  uint32_t reach = hr_collector_reach(collector);
  if (!hr_grow(&e->items, &e->items_room, collector->size, sizeof *e->items)) return false;
  hr_sort_by_distance(collector->taken, collector->size, reach, starts, e->items);
  for (uint32_t d = 0; d <= reach && left; d++) {
    size_t count = starts[d + 1] - starts[d];
    if (!count) continue;
    size_t n = gather(e, e->items + starts[d], count, left);
    if (n == SIZE_MAX || !append(e, n, left, d, out)) return false;
    left -= n < left ? n : left;
  }
  return true;
}

/* Rows are put in order by marks if they are at least one in so many. */
#define SPARSE 32
#define MARKED_DISTANCES 256

static bool are_many(const hr_postings *postings, const hr_collector *collector) {
  uint32_t reach = hr_collector_reach(collector);
  uint64_t sum = 0;
  if (reach >= MARKED_DISTANCES) return false;
  for (uint32_t d = 0; d <= reach; d++) sum += collector->counts[d];
  if (sum > collector->k) sum = collector->k;
  return sum > postings->rows.count / SPARSE && sum >= HR_FEW_ROWS;
}

static size_t count_words(const hr_postings *postings) { return (postings->rows.count + 63) / 64; }

static bool open_marks(hr_expansion *e) {
  if (!e->marks) e->marks = hr_alloc_zero(count_words(e->of), sizeof *e->marks);
  if (!e->distances) e->distances = hr_alloc(e->of->rows.count, 1);
  return e->marks && e->distances;
}

/* Marks the first rows of an entry that may pass, `room` at most, and returns how many. */
static size_t mark_rows(hr_expansion *e, size_t entry, uint32_t distance, size_t room) {
  const hr_postings *postings = e->of;
  size_t from = hr_postings_start(postings, entry), end = hr_postings_start(postings, entry + 1);
  size_t taken = 0;
  for (size_t i = from; i < end && taken < room; i++) {
    uint32_t row = postings->order[i];
    if (row >= postings->rows.count) continue; /* a damaged file, as in take_rows, */
    uint64_t *marks = &e->marks[row / 64], mark = (uint64_t)1 << row % 64;
    if (*marks & mark) continue; /* or one with a row in two places */
    if (e->passing && !hr_bit(e->passing, row)) continue;
    *marks |= mark;
    e->distances[row] = (uint8_t)distance;
    taken++;
  }
  return taken;
}

/* Appends the rows that are marked, and wipes the marks. next[d]: where the first at distance d
 * goes. */
static void read_marks(hr_expansion *e, size_t *next, hr_neighbor *list) {
  for (size_t w = 0, words = count_words(e->of); w < words; w++) {
    for (uint64_t left = e->marks[w]; left; left &= left - 1) {
      uint32_t row = (uint32_t)(w * 64 + hr_lowest_bit(left)), distance = e->distances[row];
      list[next[distance]++] = (hr_neighbor){distance, row};
    }
    e->marks[w] = 0;
  }
}

/* All distances at once. */
static bool expand_by_marks(hr_expansion *e, hr_neighbors *out) {
  const hr_collector *collector = e->collector;
  uint32_t reach = hr_collector_reach(collector);
  size_t next[MARKED_DISTANCES + 1] = {0}, last = collector->k - collector->nearer;
  if (!open_marks(e)) return false;
  for (size_t i = 0; i < collector->size; i++) {
    uint32_t distance = hr_taken_distance(collector, i);
    if (i + AHEAD < collector->size)
      HR_PREFETCH(&e->of->order[hr_postings_start(e->of, hr_taken_item(collector, i + AHEAD))]);
    if (distance > reach) continue;
    size_t room = distance < collector->limit ? SIZE_MAX : last;
    next[distance + 1] += mark_rows(e, hr_taken_item(collector, i), distance, room);
  }
  for (uint32_t d = 0; d < MARKED_DISTANCES; d++) next[d + 1] += next[d];
  size_t found = next[MARKED_DISTANCES];
  if (!reserve_more(out, found)) return false;
  read_marks(e, next, out->list + out->size);
  out->size += found < collector->k ? found : collector->k;
  return true;
}

bool hr_expand(hr_expansion *expansion, const hr_collector *collector, hr_neighbors *out) {
  if (collector->unit == HR_ROWS) return expand_rows(collector, out);
  bool few = collector->unit == HR_FEW_ENTRIES;
  expansion->collector = collector;
  expansion->of = few ? expansion->few : expansion->postings;
  expansion->passing = few ? NULL : expansion->allow;
  bool many = are_many(expansion->of, collector);
  return (many ? expand_by_marks : expand_entries)(expansion, out);
}
