/* Copying codes out of their places, which lie far apart. */
#include "storage/subset.h"

#include "base/memory.h"
#include "storage/blocks.h"

/* How far ahead of their turn an entry's number, and then its code, are fetched. */
#define AHEAD_ENTRY 32
#define AHEAD_CODE 16

void hr_subset_free(hr_subset *subset) {
  free(subset->rows);
  hr_free_aligned(subset->blocks);
  *subset = (hr_subset){0};
}

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

hr_status hr_subset_open(const hr_segment *segment, const hr_postings *postings, uint32_t *rows,
                         size_t count, hr_subset *out) {
  size_t words = segment->words;
  *out = (hr_subset){rows, hr_blocks_alloc(count, words), count};
  if (!out->blocks) {
    hr_subset_free(out);
    return HR_NO_MEMORY;
  }
  for (size_t i = 0; i < count; i++) {
    fetch(segment, postings, rows + i, count - i);
    hr_blocks_put(out->blocks, words, i, code_of(segment, postings, rows[i]));
  }
  return HR_OK;
}
