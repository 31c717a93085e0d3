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

static bool reserve(uint32_t **numbers, size_t *room, size_t count) {
  return hr_grow(numbers, room, count, sizeof **numbers);
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

/* --- rows of entries ------------------------------------------------------------------ */

/* A collector's entries, and what their rows need. */
typedef struct {
  hr_expansion *expansion;
  const hr_collector *collector;
  const hr_postings *postings;
  const uint8_t *allow;
} expanding;

/* How far ahead of their turn entries are fetched. */
#define AHEAD 16

/* Adds the first rows of an entry that may pass, `room` at most, to the `n` that are there. */
static size_t take_rows(const expanding *e, size_t entry, size_t room, size_t n) {
  const hr_postings *postings = e->postings;
  size_t from = hr_postings_start(postings, entry), end = hr_postings_start(postings, entry + 1);
  uint32_t *rows = e->expansion->rows + n;
  size_t taken = 0;
  for (size_t i = from; i < end && taken < room; i++) {
    uint32_t row = postings->order[i];
    if (row >= postings->rows.count) continue; /* a damaged file, mapped unchecked */
    rows[taken] = row;
    taken += !e->allow || hr_bit(e->allow, row);
  }
  return n + taken;
}

/* The rows of entries that are one row each. */
static size_t take_single(const expanding *e, const uint32_t *entries, size_t count) {
  const hr_postings *postings = e->postings;
  uint32_t *rows = e->expansion->rows;
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (i + AHEAD < count) HR_PREFETCH(&postings->order[entries[i + AHEAD]]);
    rows[n] = postings->order[entries[i]];
    n += rows[n] < postings->rows.count;
  }
  return n;
}

/* How many rows entries have, `room` of each at most. */
static size_t count_rows(const expanding *e, const uint32_t *entries, size_t count, size_t room) {
  const hr_postings *postings = e->postings;
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
static size_t gather(const expanding *e, const uint32_t *entries, size_t count, size_t room) {
  bool single = !e->postings->starts && !e->allow; /* each entry is one row that may be found */
  size_t most = single ? count : count_rows(e, entries, count, room), n = 0;
  /* One more, since a row that may not pass is written before it is known. */
  if (!reserve(&e->expansion->rows, &e->expansion->rows_room, most + 1)) return SIZE_MAX;
  if (single) return take_single(e, entries, count);
  for (size_t i = 0; i < count; i++) n = take_rows(e, entries[i], room, n);
  return n;
}

/* Appends the first `room` of the n rows that were gathered, ascending. */
static bool append(hr_expansion *expansion, size_t n, size_t room, uint32_t distance,
                   hr_neighbors *out) {
  if (n >= HR_FEW_ROWS && !reserve(&expansion->spare, &expansion->spare_room, n)) return false;
  hr_sort_rows(expansion->rows, n, expansion->spare);
  if (n > room) n = room;
  if (!reserve_more(out, n)) return false;
  for (size_t i = 0; i < n; i++)
    out->list[out->size + i] = (hr_neighbor){distance, expansion->rows[i]};
  out->size += n;
  return true;
}

/* One distance after the other. */
static bool expand_entries(const expanding *e, hr_neighbors *out) {
  const hr_collector *collector = e->collector;
  hr_expansion *expansion = e->expansion;
  size_t starts[HR_MAX_BITS + 3], left = collector->k;
  uint32_t reach = hr_collector_reach(collector);
  if (!reserve(&expansion->items, &expansion->items_room, collector->size)) return false;
  hr_sort_by_distance(collector->taken, collector->size, reach, starts, expansion->items);
  for (uint32_t d = 0; d <= reach && left; d++) {
    size_t count = starts[d + 1] - starts[d];
    if (!count) continue;
    size_t n = gather(e, expansion->items + starts[d], count, left);
    if (n == SIZE_MAX || !append(expansion, n, left, d, out)) return false;
    left -= n < left ? n : left;
  }
  return true;
}

/* --- many rows ------------------------------------------------------------------------ */

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

static bool open_marks(hr_expansion *expansion, const hr_postings *postings) {
  if (!expansion->marks) expansion->marks = hr_alloc_zero(count_words(postings), sizeof(uint64_t));
  if (!expansion->distances) expansion->distances = hr_alloc(postings->rows.count, 1);
  return expansion->marks && expansion->distances;
}

/* Marks the first rows of an entry that may pass, `room` at most, and returns how many. */
static size_t mark_rows(const expanding *e, size_t entry, uint32_t distance, size_t room) {
  const hr_postings *postings = e->postings;
  size_t from = hr_postings_start(postings, entry), end = hr_postings_start(postings, entry + 1);
  size_t taken = 0;
  for (size_t i = from; i < end && taken < room; i++) {
    uint32_t row = postings->order[i];
    if (row >= postings->rows.count) continue; /* a damaged file, as in take_rows, */
    uint64_t *marks = &e->expansion->marks[row / 64], mark = (uint64_t)1 << row % 64;
    if (*marks & mark) continue; /* or one with a row in two places */
    if (e->allow && !hr_bit(e->allow, row)) continue;
    *marks |= mark;
    e->expansion->distances[row] = (uint8_t)distance;
    taken++;
  }
  return taken;
}

/* Appends the rows that are marked, and wipes the marks. next[d]: where the first at distance d
 * goes. */
static void read_marks(hr_expansion *expansion, size_t words, size_t *next, hr_neighbor *list) {
  for (size_t w = 0; w < words; w++) {
    for (uint64_t left = expansion->marks[w]; left; left &= left - 1) {
      uint32_t row = (uint32_t)(w * 64 + hr_lowest_bit(left)), distance = expansion->distances[row];
      list[next[distance]++] = (hr_neighbor){distance, row};
    }
    expansion->marks[w] = 0;
  }
}

/* All distances at once. */
static bool expand_by_marks(const expanding *e, hr_neighbors *out) {
  const hr_collector *collector = e->collector;
  uint32_t reach = hr_collector_reach(collector);
  size_t next[MARKED_DISTANCES + 1] = {0}, last = collector->k - collector->nearer;
  if (!open_marks(e->expansion, e->postings)) return false;
  for (size_t i = 0; i < collector->size; i++) {
    uint32_t distance = hr_taken_distance(collector, i);
    if (i + AHEAD < collector->size)
      HR_PREFETCH(
          &e->postings->order[hr_postings_start(e->postings, hr_taken_item(collector, i + AHEAD))]);
    if (distance > reach) continue;
    size_t room = distance < collector->limit ? SIZE_MAX : last;
    next[distance + 1] += mark_rows(e, hr_taken_item(collector, i), distance, room);
  }
  for (uint32_t d = 0; d < MARKED_DISTANCES; d++) next[d + 1] += next[d];
  size_t found = next[MARKED_DISTANCES];
  if (!reserve_more(out, found)) return false;
  read_marks(e->expansion, count_words(e->postings), next, out->list + out->size);
  out->size += found < collector->k ? found : collector->k;
  return true;
}

bool hr_expand(hr_expansion *expansion, const hr_collector *collector, const hr_postings *postings,
               const uint8_t *allow, hr_neighbors *out) {
  if (collector->unit == HR_ROWS) return expand_rows(collector, out);
  expanding e = {expansion, collector, postings, allow};
  return (are_many(postings, collector) ? expand_by_marks : expand_entries)(&e, out);
}
