/* Scanning sorted codes: as fast as others (scan.c); a result then reads its row's number, a
 * far read that others are spared. */
#include "kernels/dispatch.h"
#include "scan/scan.h"
#include "storage/postings.h"
#include "topk/threshold.h"

bool hr_postings_offer(const hr_postings *sorted, size_t entry, uint32_t distance,
                       const uint8_t *allow, hr_collector *top) {
  size_t from = hr_postings_start(sorted, entry), end = hr_postings_start(sorted, entry + 1);
  size_t rows = end > from ? end - from : 0;
  if (allow) {
    rows = 0;
    for (size_t i = from; i < end && rows < top->k; i++) {
      uint32_t row = sorted->order[i];
      rows += row < sorted->rows.count && (allow[row / 8] >> row % 8 & 1);
    }
  }
  return hr_collector_offer(top, distance, (uint32_t)entry, rows);
}

/* Blocks that hold as many rows as are asked for, if their entries have as many as most. */
static size_t blocks_of(const hr_postings *sorted, size_t k) {
  if (k >= sorted->rows.count) return hr_postings_blocks(sorted);
  double entries = (double)k * (double)sorted->entries / (double)sorted->rows.count;
  return (size_t)(entries / HR_LANES) + 1;
}

/* Blocks to look at before limits are renewed; see scan.c. */
static size_t first_window(const hr_postings *sorted, const hr_collector *top, size_t blocks) {
  if (hr_collector_full(top) || top->size >= top->k) return blocks;
  size_t enough = blocks_of(sorted, top->k);
  return enough < blocks ? enough : blocks;
}

static void fetch_entry(const hr_postings *sorted, size_t entry) {
  HR_PREFETCH(sorted->starts ? &sorted->starts[entry] : &sorted->order[entry]);
}

static bool offer_rows(const hr_postings *sorted, const hr_hit *hits, size_t count,
                       hr_collector *const *tops) {
  bool ok = true, all = tops[0]->k == SIZE_MAX;
  for (size_t i = 0; i < count && ok; i++) {
    hr_hit hit = hits[i];
    hr_collector *top = tops[hit.query];
    if (hit.row >= sorted->entries) continue; /* the last block is padded */
    ok = all ? hr_collector_offer(top, hit.distance, hit.row, 1)
             : hr_collector_offer_row(top, hit.distance, hit.row);
  }
  return ok;
}

static bool offer_hits(const hr_postings *sorted, const hr_hit *hits, size_t count,
                       const uint8_t *allow, hr_collector *const *tops) {
  if (tops[0]->by_row) return offer_rows(sorted, hits, count, tops);
  bool single = !sorted->starts && !allow, ok = true; /* each hit is one row that may be found */
  for (size_t i = 0; i < count && !single; i++) fetch_entry(sorted, hits[i].row);
  for (size_t i = 0; i < count && ok; i++) {
    hr_hit hit = hits[i];
    hr_collector *top = tops[hit.query];
    /* The limit may have come down, and the last block is padded. */
    if (hit.distance > top->limit || hit.row >= sorted->entries) continue;
    ok = single ? hr_collector_offer(top, hit.distance, hit.row, 1)
                : hr_postings_offer(sorted, hit.row, hit.distance, allow, top);
  }
  return ok;
}

/* Hits are nearer than this. Rows that come ascending lose against those at the limit. */
static uint32_t hit_limit(const hr_collector *top) {
  return top->limit + !(top->by_row && hr_collector_full(top));
}

static bool scan_group(const hr_postings *sorted, size_t first, size_t end, const uint64_t *queries,
                       uint32_t used, const uint8_t *allow, hr_collector *const *tops) {
  const hr_kernels *kernels = hr_active_kernels();
  bool by_row = tops[0]->by_row;
  hr_hit hits[HR_HITS];
  hr_pass pass = {.blocks = by_row ? sorted->by_row : sorted->blocks,
                  .words = sorted->words,
                  .block = first,
                  .queries = used == 1 ? 1 : HR_GROUP,
                  .allow = by_row ? allow : NULL};
  for (uint32_t q = 0; q < HR_GROUP; q++)
    pass.query[q] = queries + (q < used ? q : 0) * sorted->words;
  size_t window = first_window(sorted, tops[0], end - first);
  while (pass.block < end) {
    pass.end = end - pass.block > window ? pass.block + window : end;
    for (uint32_t q = 0; q < used; q++) pass.limit[q] = hit_limit(tops[q]);
    size_t found = kernels->scan(&pass, hits);
    if (!offer_hits(sorted, hits, found, allow, tops)) return false;
    if (window < end - first) window *= 2;
  }
  return true;
}

static hr_status scan_all(const hr_postings *sorted, size_t first, size_t end,
                          const uint64_t *queries, size_t count, const uint8_t *allow,
                          const int *cancel, hr_collector *const *tops) {
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

/* --- limits to begin with -------------------------------------------------------------
 *
 * Codes that begin alike stand together: those around the place of a query's own code are
 * near it, and the k-th of them is a limit for all. It is known after a few blocks; without,
 * twice as many entries are taken on the way (ceiling.h), at 12 ns each.
 */

/* Fewer blocks are scanned before they are searched. */
#define WORTH_BLOCKS 512
#define FEWEST_AROUND 8 /* blocks around a query's place, and two for each that k rows fill */

static int compare(const hr_postings *sorted, size_t entry, const uint64_t *query) {
  const uint64_t *words = hr_postings_entry(sorted, entry);
  for (size_t w = 0; w < sorted->words; w++) {
    uint64_t mine = hr_swap_bytes(words[w * HR_LANES]), other = hr_swap_bytes(query[w]);
    if (mine != other) return mine < other ? -1 : 1;
  }
  return 0;
}

static size_t place_of(const hr_postings *sorted, const uint64_t *query) {
  size_t low = 0, high = sorted->entries;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare(sorted, middle, query) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool look_around(const hr_postings *sorted, size_t first, size_t end, const uint64_t *query,
                        const uint8_t *allow, hr_collector *top) {
  size_t around = top->k / HR_LANES + FEWEST_AROUND / 2, place = place_of(sorted, query) / HR_LANES;
  size_t from = place > first + around ? place - around : first;
  size_t to = end - from > 2 * around ? from + 2 * around : end;
  if (from >= to) return true;
  if (!scan_group(sorted, from, to, query, 1, allow, &top)) return false;
  hr_collector_restart(top);
  return true;
}

static bool look_pays(const hr_collector *top, size_t blocks) {
  return blocks >= WORTH_BLOCKS && top->k / HR_LANES < blocks / WORTH_BLOCKS * FEWEST_AROUND &&
         !top->size && top->limit == top->radius;
}

/* Lowers the limits to ceilings. The radii that were asked for stay. */
static void lower_limits(const hr_postings *sorted, size_t first, size_t end,
                         const uint64_t *queries, size_t count, hr_collector *const *tops) {
  hr_sample s;
  if (hr_sample_open(&s, sorted->blocks, sorted->words, first, end, NULL))
    for (size_t q = 0; q < count; q++) {
      uint32_t none = tops[q]->limit + 1;
      tops[q]->limit = hr_sample_threshold(&s, queries + q * sorted->words, tops[q]->k, none) - 1;
    }
  hr_sample_close(&s);
}

/* Limits, from some codes, for queries that have none yet. */
static hr_status begin_limits(const hr_postings *sorted, size_t first, size_t end,
                              const uint64_t *queries, size_t count, const uint8_t *allow,
                              hr_collector *const *tops) {
  for (size_t q = 0; q < count; q++)
    if (look_pays(tops[q], end - first) &&
        !look_around(sorted, first, end, queries + q * sorted->words, allow, tops[q]))
      return HR_NO_MEMORY;
  return HR_OK;
}

hr_status hr_postings_scan(const hr_postings *sorted, size_t first, size_t end,
                           const uint64_t *queries, size_t count, const uint8_t *allow,
                           const int *cancel, hr_collector *const *tops) {
  bool rows = sorted->by_row,
       guess = count && !allow && !tops[0]->size && hr_sample_pays(tops[0]->k, end - first, !rows);
  hr_status status = HR_OK;
  if (guess)
    lower_limits(sorted, first, end, queries, count, tops);
  else if (!rows)
    status = begin_limits(sorted, first, end, queries, count, allow, tops);
  for (size_t q = 0; q < count; q++) tops[q]->by_row = rows;
  if (!status) status = scan_all(sorted, first, end, queries, count, allow, cancel, tops);
  for (size_t q = 0; guess && !status && q < count; q++) {
    hr_collector *top = tops[q];
    if (hr_collector_full(top) || top->limit == top->radius) continue;
    hr_collector_reset(top, top->radius); /* too low a guess */
    top->by_row = rows;
    status = scan_all(sorted, first, end, queries + q * sorted->words, 1, allow, cancel, &top);
  }
  return status;
}
