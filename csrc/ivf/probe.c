/* Looking into the lists near a query, the nearest first. */
#include "ivf/probe.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "ivf/internal.h"
#include "kernels/dispatch.h"

/* As HR_IVF_SHARE, of a batch from so many queries on: all codes are compared with several queries
 * at once. */
#define BATCH_SHARE 4
#define BATCH 16

/* Room for one query after the other. */
typedef struct {
  const hr_ivf_target *target;
  uint16_t *distances; /* of the centroids */
  uint64_t *near;      /* distance << 32 | list */
  uint32_t *lists;     /* the same in order */
  size_t *starts;
  hr_heads heads; /* of the query, from list to list */
} probing;

static bool open_probing(const hr_ivf_target *target, probing *p) {
  size_t blocks = hr_block_count(target->ivf->head.lists), room = blocks * HR_LANES;
  *p = (probing){.target = target,
                 .distances = hr_alloc(room, sizeof *p->distances),
                 .near = hr_alloc(room, sizeof *p->near),
                 .lists = hr_alloc(room, sizeof *p->lists),
                 .starts = hr_alloc(HR_MAX_BITS + 3, sizeof *p->starts)};
  return p->distances && p->near && p->lists && p->starts;
}

static void close_probing(probing *p) {
  free(p->distances);
  free(p->near);
  free(p->lists);
  free(p->starts);
}

static uint32_t floor_root(uint64_t x) {
  uint32_t root = 0;
  for (uint32_t bit = 1u << 31; bit; bit >>= 1)
    if ((uint64_t)(root | bit) * (root | bit) <= x) root |= bit;
  return root;
}

/* Whether a list is looked into whose centroid is so much farther than the nearest: as long as
 * fewer than k are found, any. */
static bool leads_to(const probing *p, const hr_collector *found, uint64_t farther) {
  if (found->k != SIZE_MAX && !hr_collector_full(found)) return true;
  uint64_t dial = p->target->dial, unit = farther * HR_IVF_UNIT;
  return unit * unit <= dial * dial * hr_collector_reach(found);
}

/* The farthest centroid of which that holds. */
static uint32_t bound(const probing *p, const hr_collector *found, uint32_t nearest) {
  if (found->k != SIZE_MAX && !hr_collector_full(found)) return HR_MAX_BITS;
  uint64_t dial = p->target->dial, reach = hr_collector_reach(found);
  uint64_t farthest = nearest + (uint64_t)floor_root(dial * dial * reach) / HR_IVF_UNIT;
  return farthest < HR_MAX_BITS ? (uint32_t)farthest : HR_MAX_BITS;
}

/* Codes of so many words are compared by their heads first. Among 400,000 codes that took 0.8
 * to 0.9 of the time at 8 words; at 4 a look costs what it saves, and at 16 it took 1.1 times as
 * long: lists are short, and the processor does not foresee which lines of memory are left out. */
#define HEADS_LEAST 5
#define HEADS_MOST 8

static hr_status scan_list(probing *p, size_t list, const hr_queries *query,
                           hr_collector *collector) {
  const uint32_t *starts = p->target->ivf->starts;
  hr_source source = *p->target->source;
  source.least = starts[list];
  source.count = starts[list + 1];
  source.first = source.least / HR_LANES;
  source.end = hr_block_count(source.count);
  if (source.words >= HEADS_LEAST && source.words <= HEADS_MOST) source.heads = &p->heads;
  if (source.least == source.count) return HR_OK;
  query->work->probed++;
  query->work->checked += source.count - source.least;
  return hr_scan(&source, query, &collector);
}

/* Fills the distances of the centroids. */
static uint32_t find_nearest(const probing *p, const hr_queries *query) {
  const hr_ivf *ivf = p->target->ivf;
  uint32_t nearest = 0, lists = ivf->head.lists;
  hr_active_kernels()->distances(ivf->centroids, ivf->words, hr_block_count(lists), query->words,
                                 p->distances);
  query->work->checked += lists;
  uint16_t least = p->distances[0];
  for (uint32_t l = 1; l < lists; l++) least = p->distances[l] < least ? p->distances[l] : least;
  while (p->distances[nearest] != least) nearest++;
  return nearest;
}

/* Puts the lists within the bound, but the nearest, in order; returns how many there are. */
static size_t order_lists(const probing *p, uint32_t nearest, uint16_t farthest) {
  uint32_t lists = p->target->ivf->head.lists;
  size_t count = 0;
  for (uint32_t first = 0; first < lists; first += HR_LANES) {
    const uint16_t *block = p->distances + first;
    uint16_t within = 0;
    for (uint32_t l = 0; l < HR_LANES; l++) within |= block[l] <= farthest;
    if (!within) continue; /* most are not */
    for (uint32_t l = 0; l < HR_LANES; l++) {
      p->near[count] = (uint64_t)block[l] << 32 | (first + l);
      count += block[l] <= farthest && first + l != nearest && first + l < lists;
    }
  }
  return hr_sort_by_distance(p->near, count, farthest, p->starts, p->lists);
}

static hr_status probe_one(probing *p, const hr_queries *query, hr_collector *found) {
  uint32_t nearest = find_nearest(p, query), least = p->distances[nearest];
  p->heads = (hr_heads){0};
  hr_status status = scan_list(p, nearest, query, found);
  size_t count = status ? 0 : order_lists(p, nearest, bound(p, found, least));
  for (size_t i = 0; !status && i < count; i++) {
    uint32_t list = p->lists[i];
    if (!leads_to(p, found, p->distances[list] - least)) break;
    status = scan_list(p, list, query, found);
  }
  return status;
}

/* The least dial whose bound includes a centroid so much farther than the nearest. */
static uint32_t dial_for(const hr_collector *found, uint64_t farther) {
  if (!farther || !hr_collector_full(found)) return 0;
  uint64_t reach = hr_collector_reach(found), unit = farther * HR_IVF_UNIT;
  uint64_t dial = reach ? floor_root((unit * unit - 1) / reach) : HR_IVF_MAX_DIAL;
  while (dial < HR_IVF_MAX_DIAL && floor_root(dial * dial * reach) < unit) dial++;
  return (uint32_t)(dial < HR_IVF_MAX_DIAL ? dial : HR_IVF_MAX_DIAL);
}

static bool note(hr_ivf_events *events, hr_ivf_event event) {
  if (!event.gain) return true;
  if (!hr_grow(&events->list, &events->capacity, events->size + 1, sizeof event)) return false;
  events->list[events->size++] = event;
  return true;
}

/* As probe_one, with all lists in their order. */
static hr_status trace_one(probing *p, const hr_queries *query, hr_collector *found,
                           uint32_t distance, hr_ivf_event event, hr_ivf_events *events) {
  const hr_ivf *ivf = p->target->ivf;
  uint64_t enough = query->work->checked + ivf->entries / HR_IVF_SHARE;
  uint32_t nearest = find_nearest(p, query), so_far = 0;
  p->heads = (hr_heads){0};
  size_t count = order_lists(p, nearest, HR_MAX_BITS);
  for (size_t i = 0; i <= count && query->work->checked < enough && so_far < found->k; i++) {
    uint32_t list = i ? p->lists[i - 1] : nearest;
    uint32_t dial = dial_for(found, p->distances[list] - p->distances[nearest]);
    event.dial = dial > event.dial ? dial : event.dial;
    hr_status status = scan_list(p, list, query, found);
    if (status) return status;
    uint32_t within = hr_ivf_count_within(found, distance);
    event.gain = within - so_far;
    so_far = within;
    if (!note(events, event)) return HR_NO_MEMORY;
  }
  return HR_OK;
}

hr_status hr_ivf_trace(const hr_ivf_target *target, const hr_queries *queries,
                       const uint16_t *distances, hr_ivf_events *events) {
  probing p;
  hr_collector *found = hr_collectors_open(HR_ENTRIES, queries);
  hr_status status = open_probing(target, &p) && found ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < queries->count; q++) {
    hr_queries one = hr_queries_part(queries, q, 1);
    status =
        trace_one(&p, &one, &found[q], distances[q], (hr_ivf_event){.query = (uint32_t)q}, events);
    if (hr_cancelled(queries->cancel)) status = HR_CANCELLED;
  }
  hr_collectors_close(found, queries->count);
  close_probing(&p);
  return status;
}

hr_status hr_ivf_probe(const hr_ivf_target *target, const hr_queries *queries,
                       hr_collector *collectors) {
  probing p;
  hr_status status = open_probing(target, &p) ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < queries->count; q++) {
    hr_queries one = hr_queries_part(queries, q, 1);
    status = hr_cancelled(queries->cancel) ? HR_CANCELLED : probe_one(&p, &one, &collectors[q]);
  }
  close_probing(&p);
  return status;
}

/* The level that serves the k nearest, or a radius if k is SIZE_MAX; NULL if none does. */
static const hr_ivf_level *level_for(const hr_ivf *ivf, const hr_ivf_wish *wish) {
  for (int i = 0; i < HR_IVF_LEVELS && ivf->head.level[i].k; i++) {
    const hr_ivf_level *level = &ivf->head.level[i];
    bool serves = wish->k == SIZE_MAX ? level->reach >= wish->radius : level->k >= wish->k;
    if (serves && level->dial != HR_IVF_SCAN) return level;
  }
  return NULL;
}

/* Where hardly any row is missing, as few results are: no dial is turned for them. */
#define FEW_MISSING 32

size_t hr_ivf_among(size_t k, size_t rows, size_t allowed) {
  if (k >= rows || rows - allowed <= rows / FEW_MISSING) return k;
  return (size_t)((double)k * (double)rows / (double)(allowed + 1)) + 1;
}

bool hr_ivf_pays(const hr_ivf *ivf, const hr_ivf_wish *wish, size_t queries) {
  const hr_ivf_level *level = level_for(ivf, wish);
  uint64_t share = queries < BATCH ? HR_IVF_SHARE : BATCH_SHARE;
  return level && level->compared < ivf->entries / share;
}

hr_tuning hr_ivf_tuning(const hr_ivf *ivf, size_t k) {
  const hr_ivf_level *level = level_for(ivf, &(hr_ivf_wish){.k = k});
  if (!level) return (hr_tuning){.scan = true};
  return (hr_tuning){.k = level->k,
                     .lists = ivf->head.lists,
                     .queries = ivf->head.queries[level - ivf->head.level],
                     .compared = level->compared,
                     .recall = level->recall,
                     .low = level->low,
                     .high = level->high};
}

hr_status hr_ivf_search(const hr_ivf_request *request, const hr_queries *queries,
                        hr_collector *collectors) {
  const hr_ivf_level *level = level_for(request->ivf, &request->wish);
  hr_ivf_target target = {request->ivf, request->source, level->dial};
  return hr_ivf_probe(&target, queries, collectors);
}
