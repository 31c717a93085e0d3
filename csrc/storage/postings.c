/* Looking up what is sorted, and putting it back. */
#include "storage/postings.h"

#include "base/memory.h"
#include "storage/blocks.h"

void hr_postings_free(hr_postings *postings) {
  if (!postings) return;
  hr_segment_free(&postings->rows);
  free(postings->entry_of);
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
         rows * sizeof(uint32_t) * (postings->entry_of ? 2 : 1) +
         (postings->starts ? (postings->entries + 1) * sizeof(uint32_t) : 0) +
         (postings->rows.ids ? rows * sizeof(int64_t) : 0) + (postings->rows.live ? rows / 8 : 0);
}

size_t hr_postings_distinct(const hr_postings *postings) {
  if (postings->starts) return postings->entries;
  size_t count = 0;
  for (size_t e = 0; e < postings->entries; e++)
    count += !e || hr_words_compare(hr_postings_entry(postings, e - 1),
                                    hr_postings_entry(postings, e), HR_LANES, postings->words);
  return count;
}

uint32_t *hr_postings_entries(const hr_postings *postings) {
  uint32_t *entries = hr_alloc_zero(postings->rows.count, sizeof *entries);
  for (size_t entry = 0, i = 0; entries && entry < postings->entries; entry++) {
    size_t end = hr_postings_start(postings, entry + 1);
    for (; i < end; i++)
      if (postings->order[i] < postings->rows.count) entries[postings->order[i]] = (uint32_t)entry;
  }
  return entries;
}

hr_status hr_postings_unsort(const hr_postings *postings, hr_segment *out) {
  hr_segment all;
  hr_status status = hr_segment_copy_rows(&postings->rows, &all);
  if (status) return status;
  for (size_t entry = 0, i = 0; entry < postings->entries; entry++) {
    size_t end = hr_postings_start(postings, entry + 1);
    for (; i < end; i++)
      if (postings->order[i] < all.count)
        hr_blocks_put(all.blocks, all.words, postings->order[i],
                      hr_postings_entry(postings, entry));
  }
  status = hr_segment_merge(out, &all);
  hr_segment_free(&all);
  return status;
}

bool hr_postings_is_live(const hr_postings *postings, size_t entry) {
  size_t end = hr_postings_start(postings, entry + 1);
  for (size_t i = hr_postings_start(postings, entry); i < end; i++)
    if (postings->order[i] < postings->rows.count &&
        hr_segment_is_live(&postings->rows, postings->order[i]))
      return true;
  return false;
}
