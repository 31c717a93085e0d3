/* Codes sorted as bit strings, each different one stored once with the rows that have it.
 *
 * Codes learned with labels collapse onto few values; then a search compares those few
 * and lists their rows. Where nearly all codes differ, every row keeps its own entry and
 * `starts` is left out: it would cost more than it saves.
 */
#ifndef HR_SORTED_H
#define HR_SORTED_H

#include "base/bitstring.h"
#include "storage/segment.h"
#include "topk/collector.h"

/* Each different code is stored once if that leaves at most one in so many. */
#define HR_SHARED 2

typedef struct {
  hr_segment rows;  /* ids and live bits by row, ascending by id; no blocks */
  uint64_t *blocks; /* entries, laid out as kernels.h says */
  size_t entries, words;
  uint32_t *starts; /* entries + 1; entry e has order[starts[e] .. starts[e + 1]); NULL: order[e] */
  uint32_t *order;  /* rows by entry, ascending within one */
  uint32_t *place;  /* row -> position in order; NULL until needed */
  uint64_t *by_row; /* the codes once more, a row each, laid out likewise; NULL: not kept */
  bool borrowed;    /* blocks, starts and order belong to a file's bytes */
} hr_postings;

/* Sorts the live rows; `rows` stays as it is. Polls `cancel`, which may be NULL. */
hr_status hr_postings_build(const hr_segment *rows, const int *cancel, hr_postings **out);
void hr_postings_free(hr_postings *sorted);
/* Keeps the codes by row too if they are few enough and hardly any are equal: a scan of them
 * meets rows in their order, and reads no far row numbers. */
hr_status hr_postings_keep_by_row(hr_postings *sorted);
size_t hr_postings_bytes(const hr_postings *sorted);

static inline size_t hr_postings_blocks(const hr_postings *sorted) {
  return (sorted->entries + HR_LANES - 1) / HR_LANES;
}
/* The words of an entry, HR_LANES apart. */
static inline const uint64_t *hr_postings_entry(const hr_postings *sorted, size_t entry) {
  return sorted->blocks + entry / HR_LANES * sorted->words * HR_LANES + entry % HR_LANES;
}

/* Where the rows of an entry begin in `order`. A damaged file, mapped without its CRCs checked, may
 * hold any number. */
static inline size_t hr_postings_start(const hr_postings *sorted, size_t entry) {
  size_t start = sorted->starts ? sorted->starts[entry] : entry;
  return start < sorted->rows.count ? start : sorted->rows.count;
}

/* How many different codes there are, of dead rows too. */
size_t hr_postings_distinct(const hr_postings *sorted);

/* Makes `place`, which hr_postings_code needs. */
hr_status hr_postings_invert(hr_postings *sorted);
void hr_postings_code(const hr_postings *sorted, size_t row, uint8_t *code);

/* entries[row]: where its code is. */
void hr_postings_entries(const hr_postings *sorted, uint32_t *entries);
/* Whether some row of an entry is live. */
bool hr_postings_is_live(const hr_postings *sorted, size_t entry);

/* Merges the live rows with their codes into `out`, by id. */
hr_status hr_postings_unsort(const hr_postings *sorted, hr_segment *out);

/* Offers an entry for those of its rows that `allow`, a bit a row, lets pass (NULL: all).
 * False when out of memory. */
bool hr_postings_offer(const hr_postings *sorted, size_t entry, uint32_t distance,
                       const uint8_t *allow, hr_collector *top);

/* Offers all entries of blocks [first, end) to one selection a query. */
hr_status hr_postings_scan(const hr_postings *sorted, size_t first, size_t end,
                           const uint64_t *queries, size_t count, const uint8_t *allow,
                           const int *cancel, hr_collector *const *tops);

#endif
