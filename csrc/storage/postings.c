/* Looking up what is sorted, and putting it back. */
#include "storage/postings.h"

#include "base/bisect.h"
#include "base/memory.h"
#include "storage/blocks.h"

void hr_postings_free(hr_postings *postings) {
  if (!postings) return;
  hr_segment_free(&postings->rows);
  free(postings->positions);
  hr_free_aligned(postings->by_row);
  if (!postings->borrowed) {
    hr_free_aligned(postings->blocks);
    hr_free_aligned(postings->order);
    free(postings->starts);
  }
  free(postings);
}

size_t hr_postings_bytes(const hr_postings *postings) {
  size_t rows = postings->rows.count;
  return hr_block_bytes(postings->entries, postings->words) * (postings->by_row ? 2 : 1) +
         rows * sizeof(uint32_t) * (postings->positions ? 2 : 1) +
         (postings->starts ? (postings->entries + 1) * sizeof(uint32_t) : 0) +
         (postings->rows.ids ? rows * sizeof(int64_t) : 0) + (postings->rows.live ? rows / 8 : 0);
}

size_t hr_postings_distinct(const hr_postings *postings) {
  if (postings->starts) return postings->entries;
  size_t count = 0;
  for (size_t e = 0; e < postings->entries; e++)
    count += !e || !hr_words_equal(hr_postings_entry(postings, e - 1),
                                   hr_postings_entry(postings, e), postings->words);
  return count;
}

/* --- by row ----------------------------------------------------------------------- */

hr_status hr_postings_invert(hr_postings *postings) {
  if (postings->positions) return HR_OK;
  uint32_t *positions = hr_alloc_zero(postings->rows.count, sizeof *positions);
  if (!positions) return HR_NO_MEMORY;
  for (size_t i = 0; i < postings->rows.count; i++)
    if (postings->order[i] < postings->rows.count) positions[postings->order[i]] = (uint32_t)i;
  postings->positions = positions;
  return HR_OK;
}

typedef struct {
  const hr_postings *postings;
  size_t position;
} lookup;

static bool ends_before(const void *sought, size_t entry) {
  const lookup *l = sought;
  return l->postings->starts[entry + 1] <= l->position;
}

/* The entry that has this position of `order`. */
static size_t entry_at(const hr_postings *postings, size_t position) {
  if (!postings->starts) return position;
  return hr_bisect(0, postings->entries - 1, ends_before, &(lookup){postings, position});
}

void hr_postings_code(const hr_postings *postings, size_t row, uint8_t *code) {
  size_t entry = entry_at(postings, postings->positions[row]);
  hr_words_store(hr_postings_entry(postings, entry), postings->rows.bits, code);
}

hr_status hr_postings_unsort(const hr_postings *postings, hr_segment *out) {
  hr_segment all;
  hr_status status = hr_segment_reserve(&all, &postings->rows);
  if (status) return status;
  for (size_t entry = 0; entry < postings->entries; entry++) {
    size_t end = hr_postings_start(postings, entry + 1);
    for (size_t i = hr_postings_start(postings, entry); i < end; i++)
      if (postings->order[i] < all.count)
        hr_blocks_put(all.blocks, all.words, postings->order[i],
                      hr_postings_entry(postings, entry));
  }
  status = hr_segment_merge(out, &all);
  if (status) hr_segment_free(&all);
  return status;
}

void hr_postings_entries(const hr_postings *postings, uint32_t *entries) {
  memset(entries, 0, postings->rows.count * sizeof *entries);
  for (size_t entry = 0; entry < postings->entries; entry++) {
    size_t end = hr_postings_start(postings, entry + 1);
    for (size_t i = hr_postings_start(postings, entry); i < end; i++)
      if (postings->order[i] < postings->rows.count) entries[postings->order[i]] = (uint32_t)entry;
  }
}

bool hr_postings_is_live(const hr_postings *postings, size_t entry) {
  size_t end = hr_postings_start(postings, entry + 1);
  for (size_t i = hr_postings_start(postings, entry); i < end; i++)
    if (postings->order[i] < postings->rows.count &&
        hr_segment_is_live(&postings->rows, postings->order[i]))
      return true;
  return false;
}
