/* Tiles of codes against groups of queries. */
#include "scan/scan.h"

#include "kernels/dispatch.h"
#include "topk/threshold.h"

#define LEAST_REACH ((size_t)64)

bool hr_reach_reserve(hr_reach *reach, size_t more) {
  if (more <= reach->capacity - reach->size) return true;
  size_t capacity = reach->size + more + reach->capacity + LEAST_REACH;
  hr_neighbor *near = realloc(reach->near, capacity * sizeof *near);
  if (!near) return false;
  reach->near = near;
  reach->capacity = capacity;
  return true;
}

/* Lone queries take the one-query kernel, two to four the grouped one. */
static uint32_t open_pass(hr_pass *pass, const hr_segment *rows, size_t first, size_t end,
                          const uint64_t *queries, size_t count, const uint8_t *allow) {
  uint32_t used = count < HR_GROUP ? (uint32_t)count : HR_GROUP;
  *pass = (hr_pass){.blocks = rows->blocks,
                    .words = rows->words,
                    .block = first,
                    .end = end,
                    .queries = used == 1 ? 1 : HR_GROUP,
                    .allow = allow};
  for (uint32_t q = 0; q < HR_GROUP; q++)
    pass->query[q] = queries + (q < used ? q : 0) * rows->words;
  return used;
}

/* Blocks to look at before limits are renewed. Until k rows are found every
 * row is a hit, unless there is a ceiling; looking at k rows first, then at twice as many
 * each time, makes about k log2(n / k) hits in all for codes in random order. */
static size_t first_window(const hr_topk *top, size_t blocks) {
  return top->size < top->k && !top->bounded ? top->k / HR_LANES + 1 : blocks;
}

static void group_topk(const hr_segment *rows, size_t first, size_t end, const uint64_t *queries,
                       size_t count, const uint8_t *allow, hr_topk *tops) {
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass;
  uint32_t used = open_pass(&pass, rows, first, end, queries, count, allow);
  size_t window = first_window(tops, end - first);
  while (pass.block < end) {
    pass.end = end - pass.block > window ? pass.block + window : end;
    for (uint32_t q = 0; q < used; q++) pass.limit[q] = tops[q].limit;
    size_t found = kernels->scan(&pass, hits);
    for (size_t i = 0; i < found; i++)
      if (hits[i].row < rows->count) /* the last block is padded */
        hr_topk_push(&tops[hits[i].query], hits[i].distance, hits[i].row);
    if (window < end - first) window *= 2;
  }
}

static hr_status all_topk(const hr_segment *rows, size_t first, size_t end, const uint64_t *queries,
                          size_t count, const uint8_t *allow, const int *cancel, hr_topk *tops) {
  size_t tile = HR_TILE_BYTES / (rows->words * HR_LANES * sizeof(uint64_t));
  for (size_t start = first; start < end; start += tile) {
    if (hr_cancelled(cancel)) return HR_CANCELLED;
    size_t stop = end - start > tile ? start + tile : end;
    for (size_t q = 0; q < count; q += HR_GROUP)
      group_topk(rows, start, stop, queries + q * rows->words, count - q, allow, tops + q);
  }
  return HR_OK;
}

/* --- ceilings ------------------------------------------------------------------ */

static hr_status bounded_topk(const hr_segment *rows, size_t first, size_t end,
                              const uint64_t *queries, size_t count, const uint8_t *allow,
                              const int *cancel, hr_topk *tops, uint32_t *ceilings) {
  hr_sample s;
  bool ok = hr_sample_open(&s, rows->blocks, rows->words, first, end, allow);
  uint32_t none = tops[0].limit;
  for (size_t q = 0; ok && q < count; q++) {
    tops[q].bounded = true;
    ceilings[q] = tops[q].limit =
        hr_sample_threshold(&s, queries + q * rows->words, tops[q].k, none);
  }
  hr_sample_close(&s);
  hr_status status = all_topk(rows, first, end, queries, count, allow, cancel, tops);
  for (size_t q = 0; ok && !status && q < count; q++) {
    /* A limit that never came down has not seen k rows. */
    if (ceilings[q] == none || tops[q].limit < ceilings[q]) continue;
    hr_topk_restart(&tops[q], none);
    status = all_topk(rows, first, end, queries + q * rows->words, 1, allow, cancel, tops + q);
  }
  return status;
}

hr_status hr_scan_topk(const hr_segment *rows, size_t first, size_t end, const uint64_t *queries,
                       size_t count, const uint8_t *allow, const int *cancel, hr_topk *tops) {
  if (!count || tops->size || !hr_sample_pays(tops->k, end - first, false))
    return all_topk(rows, first, end, queries, count, allow, cancel, tops);
  uint32_t *ceilings = hr_alloc(count, sizeof *ceilings);
  if (!ceilings) return HR_NO_MEMORY;
  hr_status status = bounded_topk(rows, first, end, queries, count, allow, cancel, tops, ceilings);
  free(ceilings);
  return status;
}

static hr_status group_radius(const hr_segment *rows, size_t first, size_t end,
                              const uint64_t *queries, size_t count, const uint8_t *allow,
                              uint32_t radius, hr_reach *reach) {
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass;
  uint32_t used = open_pass(&pass, rows, first, end, queries, count, allow);
  for (uint32_t q = 0; q < used; q++) pass.limit[q] = radius + 1;
  while (pass.block < pass.end) {
    size_t found = kernels->scan(&pass, hits);
    for (size_t i = 0; i < found; i++)
      if (hits[i].row < rows->count &&
          !hr_reach_push(&reach[hits[i].query], hits[i].distance, hits[i].row))
        return HR_NO_MEMORY;
  }
  return HR_OK;
}

hr_status hr_scan_radius(const hr_segment *rows, size_t first, size_t end, const uint64_t *queries,
                         size_t count, const uint8_t *allow, const int *cancel, uint32_t radius,
                         hr_reach *reach) {
  size_t tile = HR_TILE_BYTES / (rows->words * HR_LANES * sizeof(uint64_t));
  for (size_t start = first; start < end; start += tile) {
    if (hr_cancelled(cancel)) return HR_CANCELLED;
    size_t stop = end - start > tile ? start + tile : end;
    for (size_t q = 0; q < count; q += HR_GROUP) {
      hr_status status = group_radius(rows, start, stop, queries + q * rows->words, count - q,
                                      allow, radius, reach + q);
      if (status) return status;
    }
  }
  return HR_OK;
}
