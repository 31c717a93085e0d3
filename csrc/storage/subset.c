/* Copying codes out of their places, which lie far apart.
 *
 * Where many rows share codes these are copied once each, so that a search compares no more of them
 * than without a filter.
 */
#include "storage/subset.h"

#include "base/histogram.h"
#include "base/memory.h"
#include "storage/blocks.h"

/* How far ahead of their turn an entry's number, and then its code, are fetched. */
#define AHEAD_ENTRY 32
#define AHEAD_CODE 16

/* Of sorted codes that rows share: rows are put together by code if they are at least one for so
 * many codes, as all of these are passed over. */
#define GROUPED 8

/* The words of a row's code, HR_LANES apart. */
static const uint64_t *code_of(const hr_segment *segment, const hr_postings *postings, size_t row) {
  if (!postings) return hr_segment_words(segment, row);
  if (postings->by_row) return hr_code_at(postings->by_row, postings->words, row);
  return hr_postings_entry(postings, postings->entry_of[row]);
}

static void fetch(const hr_segment *segment, const hr_postings *postings, const uint32_t *rows,
                  size_t left) {
  bool by_entry = postings && !postings->by_row;
  if (by_entry && left > AHEAD_ENTRY) HR_PREFETCH(&postings->entry_of[rows[AHEAD_ENTRY]]);
  if (left <= AHEAD_CODE) return;
  const uint64_t *code = code_of(segment, postings, rows[AHEAD_CODE]);
  for (size_t w = 0; w < segment->words; w++) HR_PREFETCH(code + w * HR_LANES);
}

static hr_status copy_rows(const hr_segment *segment, const hr_postings *postings, hr_subset *out) {
  size_t words = segment->words;
  out->blocks = hr_blocks_alloc(out->count, words);
  if (!out->blocks) return HR_NO_MEMORY;
  for (size_t i = 0; i < out->count; i++) {
    fetch(segment, postings, out->rows + i, out->count - i);
    hr_blocks_put(out->blocks, words, i, code_of(segment, postings, out->rows[i]));
  }
  return HR_OK;
}

/* --- shared codes ---------------------------------------------------------------- */

/* Leaves in number[e] that of entry e among those that have rows, from 1 on, 0 of others; and where
 * the rows of each of these begin in `starts`. Returns how many there are. */
static size_t number_entries(const hr_postings *postings, const hr_subset *subset, uint32_t *number,
                             uint32_t *starts) {
  uint32_t entries = 0, rows = 0;
  for (size_t i = 0; i < subset->count; i++) number[postings->entry_of[subset->rows[i]]]++;
  for (size_t e = 0; e < postings->entries; e++) {
    if (!number[e]) continue;
    starts[entries++] = rows;
    rows += number[e];
    number[e] = entries;
  }
  starts[entries] = rows;
  return entries;
}

/* Deals the rows out to their entries, and copies the codes of these. */
static void group_rows(const hr_postings *postings, const hr_subset *subset, const uint32_t *number,
                       hr_postings *out) {
  for (size_t i = 0; i < subset->count; i++) {
    uint32_t row = subset->rows[i];
    out->order[out->starts[number[postings->entry_of[row]] - 1]++] = row;
  }
  hr_starts_again(out->starts, out->entries);
  for (size_t e = 0; e < postings->entries; e++)
    if (number[e])
      hr_blocks_put(out->blocks, out->words, number[e] - 1, hr_postings_entry(postings, e));
}

static void free_shared(hr_subset *subset) {
  if (!subset->shared) return;
  free(subset->shared->starts);
  free(subset->shared->order);
  free(subset->shared);
  subset->shared = NULL;
}

/* Its `rows` are those of all codes, which are looked at for ids and for how many there may be. */
static bool open_shared(const hr_postings *postings, hr_subset *subset) {
  hr_postings *shared = subset->shared = hr_alloc_zero(1, sizeof *shared);
  if (!shared) return false;
  *shared = (hr_postings){.rows = postings->rows, .words = postings->words};
  shared->starts = hr_alloc(postings->entries + 1, sizeof *shared->starts);
  shared->order = hr_alloc(subset->count, sizeof *shared->order);
  return shared->starts && shared->order;
}

static void shrink(uint32_t **list, size_t count) {
  uint32_t *smaller = realloc(*list, count * sizeof **list);
  if (smaller) *list = smaller;
}

/* Leaves a subset as it is where hardly any rows share codes. */
static hr_status share_codes(const hr_postings *postings, hr_subset *subset) {
  uint32_t *number = hr_alloc_zero(postings->entries, sizeof *number);
  bool room = open_shared(postings, subset) && number, pays = false;
  hr_postings *shared = subset->shared;
  if (room) {
    shared->entries = number_entries(postings, subset, number, shared->starts);
    shrink(&shared->starts, shared->entries + 1);
    pays = shared->entries <= subset->count / HR_SHARED;
  }
  if (pays) {
    shared->blocks = subset->blocks = hr_blocks_alloc(shared->entries, shared->words);
    room = subset->blocks;
    if (room) group_rows(postings, subset, number, shared);
    free(subset->rows);
    subset->rows = NULL;
    subset->count = shared->entries;
  } else {
    free_shared(subset);
  }
  free(number);
  return room ? HR_OK : HR_NO_MEMORY;
}

hr_status hr_subset_open(const hr_segment *segment, const hr_postings *postings, uint32_t *rows,
                         size_t count, hr_subset *out) {
  *out = (hr_subset){.rows = rows, .count = count};
  bool repeated =
      postings && postings->starts && postings->entry_of && count >= postings->entries / GROUPED;
  hr_status status = repeated ? share_codes(postings, out) : HR_OK;
  if (!status && !out->shared) status = copy_rows(segment, postings, out);
  if (status) hr_subset_free(out);
  return status;
}

void hr_subset_free(hr_subset *subset) {
  free_shared(subset);
  free(subset->rows);
  hr_free_aligned(subset->blocks);
  *subset = (hr_subset){0};
}
