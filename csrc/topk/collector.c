/* Keeping what was taken, and putting it in order. */
#include "topk/collector.h"

#include "base/memory.h"

/* Room for what is taken before the rest is dropped: that costs a pass over all of it. */
#define LEAST_ROOM ((size_t)256)
#define MOST_ROOM ((size_t)16384)

static size_t first_room(size_t k) {
  if (k == SIZE_MAX || k < LEAST_ROOM / 4) return LEAST_ROOM;
  return k < MOST_ROOM / 4 ? 4 * k : MOST_ROOM;
}

static void begin(hr_collector *collector, uint32_t radius) {
  collector->size = 0;
  collector->nearer = 0;
  collector->radius = radius < collector->farthest ? radius : collector->farthest;
  collector->limit = collector->start = collector->radius + 1;
}

static bool open(hr_collector *collector, hr_unit unit, const hr_queries *queries) {
  *collector = (hr_collector){.unit = unit,
                              .k = queries->k,
                              .capacity = first_room(queries->k),
                              .farthest = (uint32_t)queries->width * 64};
  begin(collector, queries->radius);
  collector->counts = hr_alloc_zero((size_t)collector->farthest + 1, sizeof *collector->counts);
  collector->taken = hr_alloc(collector->capacity, sizeof *collector->taken);
  return collector->counts && collector->taken;
}

hr_collector *hr_collectors_open(hr_unit unit, const hr_queries *queries) {
  hr_collector *collectors = hr_alloc_zero(queries->count, sizeof *collectors);
  bool ok = collectors;
  for (size_t q = 0; ok && q < queries->count; q++) ok = open(&collectors[q], unit, queries);
  if (ok) return collectors;
  hr_collectors_close(collectors, queries->count);
  return NULL;
}

void hr_collectors_close(hr_collector *collectors, size_t count) {
  for (size_t q = 0; collectors && q < count; q++) {
    free(collectors[q].taken);
    free(collectors[q].counts);
  }
  free(collectors);
}

void hr_collector_reset(hr_collector *collector, uint32_t radius) {
  memset(collector->counts, 0, ((size_t)collector->farthest + 1) * sizeof *collector->counts);
  begin(collector, radius);
}

void hr_collector_restart(hr_collector *collector, hr_unit unit) {
  bool full = hr_collector_full(collector);
  hr_collector_reset(collector, full ? collector->limit : collector->radius);
  collector->unit = unit;
}

/* Drops what lies beyond the limit, without branches: which items stay cannot be foretold. */
static void compact(hr_collector *collector) {
  size_t kept = 0;
  uint64_t beyond = ((uint64_t)hr_collector_reach(collector) + 1) << 32;
  for (size_t i = 0; i < collector->size; i++) {
    uint64_t one = collector->taken[i];
    collector->taken[kept] = one;
    kept += one < beyond;
  }
  collector->size = kept;
}

bool hr_collector_make_room(hr_collector *collector) {
  if (collector->k != SIZE_MAX) compact(collector);
  if (collector->size <= collector->capacity / 2) return true;
  return hr_grow(&collector->taken, &collector->capacity, collector->capacity + 1,
                 sizeof *collector->taken);
}

bool hr_collector_offer_entry(hr_collector *collector, const hr_postings *postings, size_t entry,
                              uint32_t distance, const uint8_t *allow) {
  size_t from = hr_postings_start(postings, entry), end = hr_postings_start(postings, entry + 1);
  size_t rows = end > from ? end - from : 0;
  if (allow) {
    rows = 0;
    for (size_t i = from; i < end && rows < collector->k; i++) {
      uint32_t row = postings->order[i];
      rows += row < postings->rows.count && hr_bit(allow, row);
    }
  }
  return !rows || distance > hr_collector_reach(collector) ||
         hr_collector_take(collector, distance, (uint32_t)entry, rows);
}

size_t hr_sort_by_distance(const uint64_t *taken, size_t count, uint32_t reach, size_t *starts,
                           uint32_t *items) {
  uint64_t beyond = ((uint64_t)reach + 1) << 32;
  size_t *next = starts + 1; /* where the next at each distance goes; starts, in the end */
  memset(starts, 0, ((size_t)reach + 3) * sizeof *starts);
  for (size_t i = 0; i < count; i++)
    if (taken[i] < beyond) next[(taken[i] >> 32) + 1]++;
  for (uint32_t d = 0; d <= reach; d++) next[d + 1] += next[d];
  for (size_t i = 0; i < count; i++)
    if (taken[i] < beyond) items[next[taken[i] >> 32]++] = (uint32_t)taken[i];
  return starts[reach + 1];
}
