/* Listing costs, a row: 1 ns to take it from its entry if others stand beside it, or a far read
 * that overlaps with others; then its place among the others, 2 ns a digit, or where rows are
 * dense 3 ns by marks and 0.5 ns for each word of 64 marks. */
#include "topk/expand.h"

#include "base/bitstring.h"
#include "base/row_sort.h"
#include "kernels/kernels.h"

void hr_expansion_close(hr_expansion *listing) {
  free(listing->entries);
  free(listing->rows);
  free(listing->spare);
  free(listing->marks);
  free(listing->distances);
}

/* Contents are lost. */
static bool reserve(uint32_t **numbers, size_t *room, size_t count) {
  if (count <= *room) return true;
  free(*numbers);
  *numbers = hr_alloc(count, sizeof **numbers);
  *room = *numbers ? count : 0;
  return *numbers;
}

/* --- rows of entries ------------------------------------------------------------------ */

/* How far ahead of their turn entries are fetched. */
#define AHEAD 16

/* The first rows of an entry that may pass, `room` at most, after the `n` that are there. */
static size_t take_rows(const hr_postings *sorted, size_t entry, const uint8_t *allow, size_t room,
                        uint32_t *rows, size_t n) {
  size_t from = hr_postings_start(sorted, entry), end = hr_postings_start(sorted, entry + 1),
         taken = 0;
  for (size_t i = from; i < end && taken < room; i++) {
    uint32_t row = sorted->order[i];
    if (row >= sorted->rows.count) continue; /* a damaged file, mapped without its CRCs checked */
    rows[n + taken] = row;
    taken += !allow || (allow[row / 8] >> row % 8 & 1);
  }
  return n + taken;
}

/* The rows of entries that are one row each. */
static size_t take_single(const hr_postings *sorted, const uint32_t *entries, size_t count,
                          uint32_t *rows) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (i + AHEAD < count) HR_PREFETCH(&sorted->order[entries[i + AHEAD]]);
    rows[n] = sorted->order[entries[i]];
    n += rows[n] < sorted->rows.count;
  }
  return n;
}

/* How many rows entries have, `room` of each at most. */
static size_t count_rows(const hr_postings *sorted, const uint32_t *entries, size_t count,
                         size_t room) {
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (sorted->starts && i + AHEAD < count) HR_PREFETCH(&sorted->starts[entries[i + AHEAD]]);
    size_t from = hr_postings_start(sorted, entries[i]),
           end = hr_postings_start(sorted, entries[i] + 1);
    if (end > from) sum += end - from < room ? end - from : room;
    HR_PREFETCH(&sorted->order[from]);
  }
  return sum;
}

/* The rows of entries at one distance, `room` of each at most; SIZE_MAX when out of memory. */
static size_t gather(hr_expansion *listing, const hr_postings *sorted, const uint32_t *entries,
                     size_t count, const uint8_t *allow, size_t room) {
  bool single = !sorted->starts && !allow; /* each entry is one row that may be found */
  size_t most = single ? count : count_rows(sorted, entries, count, room), n = 0;
  /* One more, since a row that may not pass is written before it is known. */
  if (!reserve(&listing->rows, &listing->rows_room, most + 1)) return SIZE_MAX;
  if (single)
    n = take_single(sorted, entries, count, listing->rows);
  else
    for (size_t i = 0; i < count; i++)
      n = take_rows(sorted, entries[i], allow, room, listing->rows, n);
  return n;
}

/* Appends the first `room` of n different rows, ascending. */
static bool append(hr_expansion *listing, size_t n, size_t room, uint32_t distance, hr_reach *out) {
  if (n >= HR_FEW_ROWS && !reserve(&listing->spare, &listing->spare_room, n)) return false;
  hr_sort_rows(listing->rows, n, listing->spare);
  if (n > room) n = room;
  if (!hr_reach_reserve(out, n)) return false;
  for (size_t i = 0; i < n; i++)
    out->near[out->size + i] = (hr_neighbor){distance, listing->rows[i]};
  out->size += n;
  return true;
}

/* --- a selection ---------------------------------------------------------------------- */

/* Entries by distance; those at distance d are [starts[d], starts[d + 1]). */
static bool sort_entries(hr_expansion *listing, const hr_collector *top, size_t *starts) {
  if (!reserve(&listing->entries, &listing->entries_room, top->size)) return false;
  size_t *next = starts + 1; /* where the next at each distance goes */
  memset(starts, 0, ((size_t)top->limit + 3) * sizeof *starts);
  for (size_t i = 0; i < top->size; i++) next[hr_collected_distance(top, i) + 1]++;
  for (uint32_t d = 0; d <= top->limit; d++) next[d + 1] += next[d];
  for (size_t i = 0; i < top->size; i++)
    listing->entries[next[hr_collected_distance(top, i)]++] = hr_collected_item(top, i);
  return true;
}

/* Entries that are rows and ascend already. */
static bool list_ascending(const hr_collector *top, hr_reach *out) {
  size_t next[HR_MAX_BITS + 2];
  if (!hr_reach_reserve(out, top->size)) return false;
  hr_neighbor *near = out->near + out->size;
  next[0] = 0;
  for (uint32_t d = 0; d <= top->limit; d++) next[d + 1] = next[d] + top->counts[d];
  for (size_t i = 0; i < top->size; i++) {
    uint32_t distance = hr_collected_distance(top, i);
    near[next[distance]++] = (hr_neighbor){distance, hr_collected_item(top, i)};
  }
  out->size += top->size < top->k ? top->size : top->k;
  return true;
}

static bool list_by_distance(hr_expansion *listing, const hr_postings *sorted,
                             const hr_collector *top, const uint8_t *allow, hr_reach *out) {
  size_t starts[HR_MAX_BITS + 3], left = top->k;
  if (!sort_entries(listing, top, starts)) return false;
  for (uint32_t d = 0; d <= top->limit && left; d++) {
    size_t count = starts[d + 1] - starts[d];
    if (!count) continue;
    size_t n = gather(listing, sorted, listing->entries + starts[d], count, allow, left);
    if (n == SIZE_MAX || !append(listing, n, left, d, out)) return false;
    left -= n < left ? n : left;
  }
  return true;
}

/* --- many rows ------------------------------------------------------------------------ */

/* Rows are put in order by marks if they are at least one in so many. */
#define SPARSE 32
#define MARKED_DISTANCES 256

static bool are_many(const hr_postings *sorted, const hr_collector *top) {
  uint64_t sum = 0;
  if (top->limit >= MARKED_DISTANCES) return false;
  for (uint32_t d = 0; d <= top->limit; d++) sum += top->counts[d];
  if (sum > top->k) sum = top->k;
  return sum > sorted->rows.count / SPARSE && sum >= HR_FEW_ROWS;
}

static size_t count_words(const hr_postings *sorted) { return (sorted->rows.count + 63) / 64; }

static bool open_marks(hr_expansion *listing, const hr_postings *sorted) {
  if (!listing->marks) listing->marks = hr_alloc_zero(count_words(sorted), sizeof(uint64_t));
  if (!listing->distances) listing->distances = hr_alloc(sorted->rows.count, 1);
  return listing->marks && listing->distances;
}

/* Marks the first rows of an entry that may pass, `room` at most, and returns how many. */
static size_t mark_rows(hr_expansion *listing, const hr_postings *sorted, size_t entry,
                        uint32_t distance, const uint8_t *allow, size_t room) {
  size_t from = hr_postings_start(sorted, entry), end = hr_postings_start(sorted, entry + 1),
         taken = 0;
  for (size_t i = from; i < end && taken < room; i++) {
    uint32_t row = sorted->order[i];
    if (row >= sorted->rows.count) continue; /* a damaged file, as in take_rows, */
    uint64_t *marks = &listing->marks[row / 64], mark = (uint64_t)1 << row % 64;
    if (*marks & mark) continue; /* or one with a row in two places */
    if (allow && !(allow[row / 8] >> row % 8 & 1)) continue;
    *marks |= mark;
    listing->distances[row] = (uint8_t)distance;
    taken++;
  }
  return taken;
}

/* Appends the rows that are marked, and wipes the marks. next[d]: where the first at distance d
 * goes. */
static void read_marks(hr_expansion *listing, size_t words, size_t *next, hr_neighbor *near) {
  for (size_t w = 0; w < words; w++) {
    for (uint64_t left = listing->marks[w]; left; left &= left - 1) {
      uint32_t row = (uint32_t)(w * 64 + hr_lowest_bit(left)), distance = listing->distances[row];
      near[next[distance]++] = (hr_neighbor){distance, row};
    }
    listing->marks[w] = 0;
  }
}

/* All distances at once. */
static bool list_by_marks(hr_expansion *listing, const hr_postings *sorted, const hr_collector *top,
                          const uint8_t *allow, hr_reach *out) {
  size_t next[MARKED_DISTANCES + 1] = {0}, last = top->k - top->nearer;
  if (!open_marks(listing, sorted)) return false;
  for (size_t i = 0; i < top->size; i++) {
    if (i + AHEAD < top->size)
      HR_PREFETCH(&sorted->order[hr_postings_start(sorted, hr_collected_item(top, i + AHEAD))]);
    uint32_t distance = hr_collected_distance(top, i);
    size_t room = distance < top->limit ? SIZE_MAX : last;
    next[distance + 1] +=
        mark_rows(listing, sorted, hr_collected_item(top, i), distance, allow, room);
  }
  for (uint32_t d = 0; d < MARKED_DISTANCES; d++) next[d + 1] += next[d];
  size_t found = next[MARKED_DISTANCES];
  if (!hr_reach_reserve(out, found)) return false;
  read_marks(listing, count_words(sorted), next, out->near + out->size);
  out->size += found < top->k ? found : top->k;
  return true;
}

bool hr_expand(hr_expansion *listing, const hr_postings *sorted, hr_collector *top,
               const uint8_t *allow, hr_reach *out) {
  hr_collector_compact(top);
  if (top->by_row) return list_ascending(top, out);
  return (are_many(sorted, top) ? list_by_marks : list_by_distance)(listing, sorted, top, allow,
                                                                    out);
}
