/* Scanning sorted codes: as fast as others (scan.c); a result then reads its row's number, a
 * far read that others are spared. */
#include "ceiling.h"
#include "dispatch.h"
#include "scan.h"
#include "sorted.h"

bool hr_sorted_offer(const hr_sorted *sorted, size_t entry, uint32_t distance, const uint8_t *allow,
                     hr_nearest *top) {
  if (top->by_entry) return hr_nearest_offer(top, distance, (uint32_t)entry);
  size_t end = hr_sorted_start(sorted, entry + 1), taken = 0;
  for (size_t i = hr_sorted_start(sorted, entry); i < end && taken < top->k; i++) {
    uint32_t row = sorted->order[i];
    if (row >= sorted->rows.count) continue;
    if (allow && !(allow[row / 8] >> row % 8 & 1)) continue;
    if (!hr_nearest_offer(top, distance, row)) return false;
    taken++;
  }
  return true;
}

/* Blocks to look at before limits are renewed; see scan.c. */
static size_t first_window(const hr_nearest *top, size_t blocks) {
  if (hr_nearest_full(top) || top->size >= top->k) return blocks;
  return top->k / HR_LANES < blocks ? top->k / HR_LANES + 1 : blocks;
}

static void fetch_group(const hr_sorted *sorted, size_t entry) {
  HR_PREFETCH(sorted->starts ? &sorted->starts[entry] : &sorted->order[entry]);
}

static bool offer_hits(const hr_sorted *sorted, const hr_hit *hits, size_t count,
                       const uint8_t *allow, hr_nearest *const *tops) {
  bool by_entry = tops[0]->by_entry, ok = true;
  for (size_t i = 0; i < count && !by_entry; i++) fetch_group(sorted, hits[i].row);
  for (size_t i = 0; i < count && ok; i++) {
    hr_hit hit = hits[i];
    if (hit.row >= sorted->entries) continue; /* the last block is padded */
    ok = by_entry ? hr_nearest_offer(tops[hit.query], hit.distance, hit.row)
                  : hr_sorted_offer(sorted, hit.row, hit.distance, allow, tops[hit.query]);
  }
  return ok;
}

static bool scan_group(const hr_sorted *sorted, size_t first, size_t end, const uint64_t *queries,
                       uint32_t used, const uint8_t *allow, hr_nearest *const *tops) {
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass = {.blocks = sorted->blocks,
                  .words = sorted->words,
                  .block = first,
                  .queries = used == 1 ? 1 : HR_GROUP};
  for (uint32_t q = 0; q < HR_GROUP; q++)
    pass.query[q] = queries + (q < used ? q : 0) * sorted->words;
  size_t window = first_window(tops[0], end - first);
  while (pass.block < end) {
    pass.end = end - pass.block > window ? pass.block + window : end;
    for (uint32_t q = 0; q < used; q++) pass.limit[q] = tops[q]->limit + 1;
    size_t found = kernels->below(&pass, hits);
    if (!offer_hits(sorted, hits, found, allow, tops)) return false;
    if (window < end - first) window *= 2;
  }
  return true;
}

static hr_status scan_all(const hr_sorted *sorted, size_t first, size_t end,
                          const uint64_t *queries, size_t count, const uint8_t *allow,
                          const int *cancel, hr_nearest *const *tops) {
  size_t tile = HR_TILE_BYTES / (sorted->words * HR_LANES * sizeof(uint64_t));
  for (size_t start = first; start < end; start += tile) {
    if (hr_cancelled(cancel)) return HR_CANCELLED;
    size_t stop = end - start > tile ? start + tile : end;
    for (size_t q = 0; q < count; q += HR_GROUP) {
      uint32_t used = count - q < HR_GROUP ? (uint32_t)(count - q) : HR_GROUP;
      if (!scan_group(sorted, start, stop, queries + q * sorted->words, used, allow, tops + q))
        return HR_NO_MEMORY;
    }
  }
  return HR_OK;
}

/* Lowers the limits to ceilings. The radii that were asked for stay. */
static void lower_limits(const hr_sorted *sorted, size_t first, size_t end, const uint64_t *queries,
                         size_t count, hr_nearest *const *tops) {
  hr_sample s;
  if (hr_sample_open(&s, sorted->blocks, sorted->words, first, end, NULL))
    for (size_t q = 0; q < count; q++) {
      uint32_t none = tops[q]->limit + 1;
      tops[q]->limit = hr_sample_ceiling(&s, queries + q * sorted->words, tops[q]->k, none) - 1;
    }
  hr_sample_close(&s);
}

/* --- limits by weight ---------------------------------------------------------------
 *
 * An entry with hundreds of rows would be taken with k of them before the limit falls.
 * Where there are many rows an entry, it pays to compare all entries first and to count
 * their rows by distance, a nanosecond an entry: that gives the limit itself.
 */

#define HEAVY 8               /* rows an entry */
#define WEIGHED ((size_t)512) /* blocks at a time */

static void weigh(const hr_sorted *sorted, size_t first, size_t end, const uint64_t *query,
                  uint64_t *rows) {
  uint16_t near[WEIGHED * HR_LANES];
  for (size_t start = first; start < end; start += WEIGHED) {
    size_t blocks = end - start < WEIGHED ? end - start : WEIGHED;
    hr_active_kernels()->distances(sorted->blocks + start * sorted->words * HR_LANES, sorted->words,
                                   blocks, query, near);
    size_t last = sorted->entries - start * HR_LANES;
    for (size_t i = 0; i < blocks * HR_LANES && i < last; i++) {
      size_t entry = start * HR_LANES + i;
      rows[near[i]] += sorted->starts[entry + 1] - sorted->starts[entry];
    }
  }
}

static void lower_limit_by_weight(const hr_sorted *sorted, size_t first, size_t end,
                                  const uint64_t *query, hr_nearest *top) {
  uint64_t rows[HR_MAX_BITS + 1] = {0}, sum = 0;
  weigh(sorted, first, end, query, rows);
  for (uint32_t d = 0; d < top->limit; d++)
    if ((sum += rows[d]) >= top->k) {
      top->limit = d;
      return;
    }
}

static bool is_heavy(const hr_sorted *sorted, const uint8_t *allow, const hr_nearest *top) {
  return sorted->starts && !allow && !top->size && top->k > 1 && top->k != SIZE_MAX &&
         sorted->rows.count / HEAVY >= sorted->entries;
}

hr_status hr_sorted_scan(const hr_sorted *sorted, size_t first, size_t end, const uint64_t *queries,
                         size_t count, const uint8_t *allow, const int *cancel,
                         hr_nearest *const *tops) {
  bool heavy = count && is_heavy(sorted, allow, tops[0]);
  bool guess =
      count && !heavy && !allow && !tops[0]->size && hr_sample_pays(tops[0]->k, end - first);
  for (size_t q = 0; heavy && q < count; q++)
    lower_limit_by_weight(sorted, first, end, queries + q * sorted->words, tops[q]);
  if (guess) lower_limits(sorted, first, end, queries, count, tops);
  hr_status status = scan_all(sorted, first, end, queries, count, allow, cancel, tops);
  for (size_t q = 0; guess && !status && q < count; q++) {
    hr_nearest *top = tops[q];
    if (hr_nearest_full(top) || top->limit == top->radius) continue;
    hr_nearest_reset(top, top->radius); /* too low a guess */
    status = scan_all(sorted, first, end, queries + q * sorted->words, 1, allow, cancel, &top);
  }
  return status;
}
