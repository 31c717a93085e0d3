/* Buckets that hold numbers of entries: their codes are fetched from where they lie.
 *
 * Of long codes a sketch that tells anything takes 12 bytes or more an entry and table, a number 4.
 * A code so fetched is reckoned to take as long as 12 in the bucket (cost.c), so that tables of
 * numbers have short buckets.
 */
#include <string.h>

#include "kernels/dispatch.h"
#include "mih/internal.h"

bool hr_probing_compare(hr_probing *p) {
  const hr_postings *postings = p->mih->postings;
  hr_hit hits[HR_REFERRED];
  hr_row_pass pass = {.blocks = postings->blocks,
                      .words = postings->words,
                      .rows = p->referred,
                      .count = p->referreds,
                      .query = p->query,
                      .limit = hr_collector_bar(p->collector)};
  size_t found = hr_active_kernels()->scan_rows(&pass, hits);
  p->referreds = 0;
  for (size_t i = 0; i < found; i++) {
    uint32_t entry = hits[i].row;
    if (hr_probing_has_seen(p, hr_postings_entry(postings, entry), HR_LANES, postings->rows.bits))
      continue;
    if (!hr_collector_offer_entry(p->collector, postings, entry, hits[i].distance, p->allow))
      return false;
  }
  return true;
}

bool hr_probing_refer(hr_probing *p, const hr_mih_table *t, hr_bucket bucket) {
  size_t entries = p->mih->postings->entries;
  for (size_t at = bucket.from; at < bucket.to; at++) {
    uint32_t entry = t->sketches[at];
    if (entry >= entries) continue; /* a damaged file */
    p->referred[p->referreds++] = entry;
    if (p->referreds == HR_REFERRED && !hr_probing_compare(p)) return false;
  }
  return true;
}
