/* Least significant digit first.
 *
 * Inserting few rows costs n / 4 steps a row; sorting more by digits, 2 ns a row and digit, and
 * the counters: wide digits save passes, narrow ones counters.
 */
#include "base/radix_sort.h"

#include <stdbool.h>
#include <string.h>

#include "base/histogram.h"

#define NARROW_BITS 8
#define WIDE_BITS 11
/* From so many rows on a pass costs more than the counters of wide digits. */
#define MANY_ROWS 2048

static void insert(uint32_t *rows, size_t n) {
  for (size_t i = 1; i < n; i++) {
    uint32_t row = rows[i];
    size_t j = i;
    for (; j && rows[j - 1] > row; j--) rows[j] = rows[j - 1];
    rows[j] = row;
  }
}

/* Moves rows into the order of one digit; false if they all share it. */
static bool sort_by(const uint32_t *from, size_t n, uint32_t shift, uint32_t mask, uint32_t *to) {
  uint32_t starts[((size_t)1 << WIDE_BITS) + 1];
  memset(starts, 0, ((size_t)mask + 2) * sizeof *starts);
  for (size_t i = 0; i < n; i++) starts[(from[i] >> shift & mask) + 1]++;
  if (starts[(from[0] >> shift & mask) + 1] == n) return false;
  hr_starts(starts, (size_t)mask + 1);
  for (size_t i = 0; i < n; i++) to[starts[from[i] >> shift & mask]++] = from[i];
  return true;
}

static void sort_by_digits(uint32_t *rows, size_t n, uint32_t *spare) {
  uint32_t width = n < MANY_ROWS ? NARROW_BITS : WIDE_BITS, mask = ((uint32_t)1 << width) - 1;
  uint32_t highest = 0, *from = rows, *to = spare;
  for (size_t i = 0; i < n; i++) highest |= rows[i];
  for (uint32_t shift = 0; shift < 32 && highest >> shift; shift += width) {
    if (!sort_by(from, n, shift, mask, to)) continue;
    uint32_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows) memcpy(rows, from, n * sizeof *rows);
}

void hr_sort_rows(uint32_t *rows, size_t n, uint32_t *spare) {
  if (n < HR_FEW_ROWS)
    insert(rows, n);
  else
    sort_by_digits(rows, n, spare);
}
