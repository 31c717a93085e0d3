/* Codes sorted as bit strings, each different one stored once with the rows that have it.
 *
 * Codes learned with labels collapse onto few values; then a search compares those few
 * and lists their rows. Where nearly all codes differ, every row keeps its own entry and
 * `starts` is left out: it would cost more than it saves.
 */
#ifndef HR_POSTINGS_H
#define HR_POSTINGS_H

#include "base/bitstring.h"
#include "storage/segment.h"

/* Each different code is stored once if that leaves at most one in so many. */
#define HR_SHARED 2

typedef struct {
  hr_segment rows;  /* ids and live bits by row, ascending by id; no blocks */
  uint64_t *blocks; /* entries, laid out as kernels.h says */
  size_t entries, words;
  uint32_t *starts; /* entries + 1; entry e has order[starts[e] .. starts[e + 1]); NULL: order[e] */
  uint32_t *order;  /* rows by entry, ascending within one */
  uint32_t *entry_of; /* of each row; NULL until needed */
  uint64_t *by_row;   /* the codes once more, a row each, laid out likewise; NULL: not kept */
  bool borrowed;      /* blocks, starts and order belong to a file's bytes */
} hr_postings;

void hr_postings_free(hr_postings *postings);
size_t hr_postings_bytes(const hr_postings *postings);

/* The words of an entry, HR_LANES apart. */
static inline const uint64_t *hr_postings_entry(const hr_postings *postings, size_t entry) {
  return hr_code_at(postings->blocks, postings->words, entry);
}

/* Where the rows of an entry begin in `order`. A damaged file, mapped without its CRCs checked, may
 * hold any number. */
static inline size_t hr_postings_start(const hr_postings *postings, size_t entry) {
  size_t start = postings->starts ? postings->starts[entry] : entry;
  return start < postings->rows.count ? start : postings->rows.count;
}

/* How many different codes there are, of removed rows too. */
size_t hr_postings_distinct(const hr_postings *postings);

/* A new list of the entry of each row; NULL when out of memory. */
uint32_t *hr_postings_entries(const hr_postings *postings);
/* Whether some row of an entry is live. */
bool hr_postings_is_live(const hr_postings *postings, size_t entry);

/* Merges the live rows with their codes into `out`, by id. */
hr_status hr_postings_unsort(const hr_postings *postings, hr_segment *out);

#endif
