/* Tiles of codes against groups of queries. */
#include "scan.h"

#include "count.h"
#include "dispatch.h"

/* A tile stays in L2 while all queries of a batch pass over it. */
#define TILE_BYTES ((size_t)256 << 10)

void hr_cancel(int *flag) {
#if defined(_MSC_VER) && !defined(__clang__)
  *(volatile int *)flag = 1;
#else
  __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
#endif
}

bool hr_cancelled(const int *cancel) {
#if defined(_MSC_VER) && !defined(__clang__)
  return cancel && *(const volatile int *)cancel;
#else
  return cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED);
#endif
}

bool hr_reach_push(hr_reach *reach, uint32_t distance, uint32_t row) {
  if (reach->size == reach->capacity) {
    size_t capacity = reach->capacity ? reach->capacity * 2 : 64;
    hr_near *near = realloc(reach->near, capacity * sizeof *near);
    if (!near) return false;
    reach->near = near;
    reach->capacity = capacity;
  }
  reach->near[reach->size++] = (hr_near){distance, row};
  return true;
}

/* Lone queries take the one-query kernel, two to four the grouped one. */
static uint32_t open_pass(hr_pass *pass, const hr_rows *rows, size_t first, size_t end,
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

static void group_topk(const hr_rows *rows, size_t first, size_t end, const uint64_t *queries,
                       size_t count, const uint8_t *allow, hr_topk *tops) {
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass;
  uint32_t used = open_pass(&pass, rows, first, end, queries, count, allow);
  size_t window = first_window(tops, end - first);
  while (pass.block < end) {
    pass.end = end - pass.block > window ? pass.block + window : end;
    for (uint32_t q = 0; q < used; q++) pass.limit[q] = tops[q].limit;
    size_t found = kernels->below(&pass, hits);
    for (size_t i = 0; i < found; i++)
      if (hits[i].row < rows->count) /* the last block is padded */
        hr_topk_push(&tops[hits[i].query], hits[i].distance, hits[i].row);
    if (window < end - first) window *= 2;
  }
}

static hr_status all_topk(const hr_rows *rows, size_t first, size_t end, const uint64_t *queries,
                          size_t count, const uint8_t *allow, const int *cancel, hr_topk *tops) {
  size_t tile = TILE_BYTES / (rows->words * HR_LANES * sizeof(uint64_t));
  for (size_t start = first; start < end; start += tile) {
    if (hr_cancelled(cancel)) return HR_CANCELLED;
    size_t stop = end - start > tile ? start + tile : end;
    for (size_t q = 0; q < count; q += HR_GROUP)
      group_topk(rows, start, stop, queries + q * rows->words, count - q, allow, tops + q);
  }
  return HR_OK;
}

/* --- ceilings from a sample -------------------------------------------------
 *
 * A hit costs about 12 ns from the kernel to the result, a row passed over 0.08
 * ns (64 bits, batch, AVX-512 at 2.3 GHz), and k (1 + ln(n / k)) rows are below
 * the running limit when they come: 7,900 for k = 1000 of a million. A ceiling
 * that c k rows are below leaves k (1 + ln c), here 1,900. It is guessed from the
 * distances of 8,192 rows, 4 us a query, one block here and there so that
 * clusters stored side by side do not mislead it. Should fewer than k rows turn
 * out to be below it, which happens to one query in five hundred for rows in
 * random order, that query is searched again without. In all k = 1000 costs 1.5
 * times what k = 10 does, and without ceilings 2.6 times.
 */

#define SAMPLE_BLOCKS ((size_t)1024)
#define SAMPLE_ROWS (SAMPLE_BLOCKS * HR_LANES)
#define SAMPLE_SHARE 8 /* sampled are at most an eighth of the blocks */
#define CEILING_MIN_K 100

/* Evenly spaced blocks side by side, with their rows' permissions. */
typedef struct {
  uint64_t *blocks;
  uint16_t *near;
  bool filtered;
  uint8_t allow[SAMPLE_BLOCKS];
} sample;

static bool sample_open(sample *s, const hr_rows *rows, size_t first, size_t end,
                        const uint8_t *allow) {
  size_t width = rows->words * HR_LANES, step = (end - first) / SAMPLE_BLOCKS;
  s->blocks = hr_alloc_aligned(SAMPLE_BLOCKS * width * sizeof *s->blocks);
  s->near = hr_alloc(SAMPLE_ROWS, sizeof *s->near);
  if (!s->blocks || !s->near) return false;
  s->filtered = allow != NULL;
  for (size_t i = 0; i < SAMPLE_BLOCKS; i++) {
    size_t block = first + i * step;
    memcpy(s->blocks + i * width, rows->blocks + block * width, width * sizeof *s->blocks);
    if (allow) s->allow[i] = allow[block];
  }
  return true;
}

static void sample_close(sample *s) {
  hr_free_aligned(s->blocks);
  free(s->near);
}

/* The distance below which `rank` rows of the sample lie, or `none`. */
static uint32_t ceiling(const sample *s, size_t words, const uint64_t *query, size_t rank,
                        uint32_t none) {
  uint32_t counts[(HR_MAX_BITS + 2) * HR_COUNTERS];
  memset(counts, 0, ((size_t)none + 1) * HR_COUNTERS * sizeof *counts);
  hr_active_kernels()->distances(s->blocks, words, SAMPLE_BLOCKS, query, s->near);
  for (size_t i = 0; s->filtered && i < SAMPLE_ROWS; i++)
    if (!(s->allow[i / HR_LANES] >> i % HR_LANES & 1)) s->near[i] = (uint16_t)none;
  hr_count(s->near, SAMPLE_ROWS, counts);
  size_t below = 0;
  for (uint32_t limit = 0; limit < none; limit++)
    if ((below += hr_counted(counts, limit)) >= rank) return limit + 1;
  return none;
}

/* The rank in the sample of the k-th nearest row, and three deviations more. */
static size_t sample_rank(size_t k, size_t blocks) {
  size_t expected = k * SAMPLE_BLOCKS / blocks + 1, root = 1;
  while (root * root < expected) root++;
  return expected + 3 * root + 2;
}

static hr_status bounded_topk(const hr_rows *rows, size_t first, size_t end,
                              const uint64_t *queries, size_t count, const uint8_t *allow,
                              const int *cancel, hr_topk *tops, uint32_t *ceilings) {
  sample s;
  bool ok = sample_open(&s, rows, first, end, allow);
  uint32_t none = tops[0].limit;
  for (size_t q = 0; ok && q < count; q++) {
    size_t rank = sample_rank(tops[q].k, end - first);
    tops[q].bounded = true;
    ceilings[q] = tops[q].limit = ceiling(&s, rows->words, queries + q * rows->words, rank, none);
  }
  sample_close(&s);
  hr_status status = all_topk(rows, first, end, queries, count, allow, cancel, tops);
  for (size_t q = 0; ok && !status && q < count; q++) {
    /* A limit that never came down has not seen k rows. */
    if (ceilings[q] == none || tops[q].limit < ceilings[q]) continue;
    hr_topk_restart(&tops[q], none);
    status = all_topk(rows, first, end, queries + q * rows->words, 1, allow, cancel, tops + q);
  }
  return status;
}

static bool ceiling_pays(const hr_topk *top, size_t blocks) {
  return !top->size && top->k >= CEILING_MIN_K && blocks / SAMPLE_SHARE >= SAMPLE_BLOCKS &&
         top->k / HR_LANES <= blocks / SAMPLE_SHARE;
}

hr_status hr_scan_topk(const hr_rows *rows, size_t first, size_t end, const uint64_t *queries,
                       size_t count, const uint8_t *allow, const int *cancel, hr_topk *tops) {
  if (!count || !ceiling_pays(tops, end - first))
    return all_topk(rows, first, end, queries, count, allow, cancel, tops);
  uint32_t *ceilings = hr_alloc(count, sizeof *ceilings);
  if (!ceilings) return HR_NO_MEMORY;
  hr_status status = bounded_topk(rows, first, end, queries, count, allow, cancel, tops, ceilings);
  free(ceilings);
  return status;
}

static hr_status group_radius(const hr_rows *rows, size_t first, size_t end,
                              const uint64_t *queries, size_t count, const uint8_t *allow,
                              uint32_t radius, hr_reach *reach) {
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass;
  uint32_t used = open_pass(&pass, rows, first, end, queries, count, allow);
  for (uint32_t q = 0; q < used; q++) pass.limit[q] = radius + 1;
  while (pass.block < pass.end) {
    size_t found = kernels->below(&pass, hits);
    for (size_t i = 0; i < found; i++)
      if (hits[i].row < rows->count &&
          !hr_reach_push(&reach[hits[i].query], hits[i].distance, hits[i].row))
        return HR_NO_MEMORY;
  }
  return HR_OK;
}

hr_status hr_scan_radius(const hr_rows *rows, size_t first, size_t end, const uint64_t *queries,
                         size_t count, const uint8_t *allow, const int *cancel, uint32_t radius,
                         hr_reach *reach) {
  size_t tile = TILE_BYTES / (rows->words * HR_LANES * sizeof(uint64_t));
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
