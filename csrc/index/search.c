/* Searching: what every kind shares around its own way to find candidates. */
#include "base/memory.h"
#include "index/internal.h"
#include "kernels/dispatch.h"
#include "scan/scan.h"
#include "topk/expand.h"
#include "topk/select.h"

/* --- one request ---------------------------------------------------------------- */

/* A run over rows that are not sorted by code. */
typedef struct {
  const hr_index *index;
  const hr_segment *rows;
  const hr_lsh *lsh;
  const uint8_t *allow;
  size_t first, end; /* blocks */
  const int *cancel;
} span;

/* The blocks of one part of the whole. */
static void divide(size_t blocks, const hr_request *request, size_t *first, size_t *end) {
  size_t part = request->part, parts = request->parts, rest = blocks % parts;
  *first = blocks / parts * part + (part < rest ? part : rest);
  *end = *first + blocks / parts + (part < rest);
}

/* The base is divided among the parts; the tail goes with the last part. */
static span span_of(const hr_index *index, const hr_request *request, int place) {
  const hr_segment *rows = hr_index_rows(index, place);
  size_t blocks = hr_segment_blocks(rows);
  span s = {.index = index,
            .rows = rows,
            .lsh = place == HR_MAIN ? index->lsh : NULL,
            .allow = request->filter ? request->filter->allow[place] : rows->live,
            .cancel = request->cancel};
  if (place == HR_MAIN)
    divide(blocks, request, &s.first, &s.end);
  else
    s.end = request->part + 1 == request->parts ? blocks : 0;
  return s;
}

static size_t span_rows(const span *s) { return (s->end - s->first) * HR_LANES; }

static uint64_t *load_queries(const hr_index *index, const hr_request *request, size_t from,
                              size_t count) {
  size_t words = (index->bits + 63) / 64, bytes = (index->bits + 7) / 8;
  uint64_t *queries = hr_alloc(count * words, sizeof *queries);
  for (size_t q = 0; queries && q < count; q++)
    hr_words_load(request->queries + (from + q) * bytes, index->bits, queries + q * words);
  return queries;
}

/* --- candidates of the LSH tables ------------------------------------------------- */

typedef struct {
  uint32_t *rows;
  uint16_t *distances;
  size_t count;
} candidates;

static void candidates_close(candidates *c) {
  free(c->rows);
  free(c->distances);
}

static void keep_allowed(candidates *c, const span *s) {
  size_t kept = 0;
  for (size_t i = 0; i < c->count; i++) {
    uint32_t row = c->rows[i];
    if (row / HR_LANES < s->first || row / HR_LANES >= s->end) continue;
    if (!s->allow || s->allow[row / 8] >> row % 8 & 1) c->rows[kept++] = row;
  }
  c->count = kept;
}

static hr_status candidates_open(candidates *c, const span *s, const hr_request *request, size_t q,
                                 const uint64_t *query, hr_work *work) {
  *c = (candidates){0};
  if (s->first == s->end) return HR_OK;
  const float *margins = request->margins ? request->margins + q * s->rows->bits : NULL;
  hr_probes probes;
  hr_status status =
      hr_probes_open(s->rows->bits, s->index->tables, request->probes, query, margins, &probes);
  if (status) return status;
  status = hr_lsh_candidates(s->lsh, s->rows, &probes, &c->rows, &c->count);
  work->probed += (uint64_t)probes.tables * probes.count;
  hr_probes_close(&probes);
  if (status) return status;
  if (s->allow || s->end - s->first < hr_segment_blocks(s->rows)) keep_allowed(c, s);
  c->distances = hr_alloc(c->count, sizeof *c->distances);
  if (!c->distances) {
    candidates_close(c);
    return HR_NO_MEMORY;
  }
  hr_active_kernels()->distances_at(s->rows->blocks, s->rows->words, c->rows, c->count, query,
                                    c->distances);
  work->checked += c->count;
  return HR_OK;
}

static hr_status lsh_topk(const span *s, const hr_request *request, size_t from,
                          const uint64_t *queries, size_t count, hr_topk *tops, hr_work *work) {
  for (size_t q = 0; q < count; q++) {
    if (hr_cancelled(s->cancel)) return HR_CANCELLED;
    candidates c;
    hr_status status =
        candidates_open(&c, s, request, from + q, queries + q * s->rows->words, work);
    if (status) return status;
    for (size_t i = 0; i < c.count; i++) hr_topk_push(&tops[q], c.distances[i], c.rows[i]);
    candidates_close(&c);
  }
  return HR_OK;
}

static hr_status lsh_radius(const span *s, const hr_request *request, size_t q,
                            const uint64_t *query, uint32_t radius, hr_reach *reach,
                            hr_work *work) {
  candidates c;
  hr_status status = candidates_open(&c, s, request, q, query, work);
  if (status) return status;
  for (size_t i = 0; !status && i < c.count; i++)
    if (c.distances[i] <= radius && !hr_reach_push(reach, c.distances[i], c.rows[i]))
      status = HR_NO_MEMORY;
  candidates_close(&c);
  return status;
}

/* --- the k nearest ----------------------------------------------------------------- */

typedef struct {
  int32_t *distances;
  int64_t *ids;
} results;

static bool nearer(int32_t distance_a, int64_t id_a, int32_t distance_b, int64_t id_b) {
  return distance_a != distance_b ? distance_a < distance_b : id_a < id_b;
}

/* Merges two sorted lists of k into the first, through `spare`. */
static void merge_two(results into, results from, size_t k, results spare) {
  size_t a = 0, b = 0;
  for (size_t i = 0; i < k; i++) {
    /* Missing entries of either list lose against every real one. */
    bool first = !nearer(from.distances[b], from.ids[b], into.distances[a], into.ids[a]);
    spare.distances[i] = first ? into.distances[a] : from.distances[b];
    spare.ids[i] = first ? into.ids[a++] : from.ids[b++];
  }
  memcpy(into.distances, spare.distances, k * sizeof *spare.distances);
  memcpy(into.ids, spare.ids, k * sizeof *spare.ids);
}

static void write_results(const hr_neighbor *near, size_t size, const hr_segment *rows, size_t k,
                          results out) {
  for (size_t i = 0; i < size; i++) {
    out.distances[i] = (int32_t)near[i].distance;
    out.ids[i] = hr_segment_id(rows, near[i].row);
  }
  for (size_t i = size; i < k; i++) {
    out.distances[i] = HR_MISSING_DISTANCE;
    out.ids[i] = HR_MISSING_ID;
  }
}

/* A damaged file, mapped without its CRCs checked, may have unused bits set. */
static uint32_t farthest(const hr_segment *rows) { return (uint32_t)rows->words * 64; }

/* Selections for `count` queries over one span; results to `out`. */
static hr_status span_topk(const span *s, const hr_request *request, size_t from,
                           const uint64_t *queries, size_t count, size_t k, results out,
                           hr_work *work) {
  size_t rows = span_rows(s), kept = k < rows ? k : rows;
  hr_topk *tops = hr_alloc_zero(count, sizeof *tops);
  hr_neighbor *scratch = hr_alloc(kept, sizeof *scratch);
  hr_status status = tops && scratch ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < count; q++)
    if (!hr_topk_open(&tops[q], k, rows, farthest(s->rows))) status = HR_NO_MEMORY;
  if (!status && s->index->kind == HR_LSH) {
    status = lsh_topk(s, request, from, queries, count, tops, work);
  } else if (!status) {
    status = hr_scan_topk(s->rows, s->first, s->end, queries, count, s->allow, s->cancel, tops);
    work->checked += (uint64_t)rows * count;
  }
  for (size_t q = 0; !status && q < count; q++) {
    hr_topk_finish(&tops[q], farthest(s->rows), scratch);
    write_results(tops[q].near, tops[q].size, s->rows, k,
                  (results){out.distances + q * k, out.ids + q * k});
  }
  for (size_t q = 0; tops && q < count; q++) hr_topk_close(&tops[q]);
  free(tops);
  free(scratch);
  return status;
}

static results results_open(size_t count) {
  results r = {hr_alloc(count, sizeof *r.distances), hr_alloc(count, sizeof *r.ids)};
  return r;
}

static void results_close(results r) {
  free(r.distances);
  free(r.ids);
}

/* --- sorted codes ------------------------------------------------------------------ */

static const uint8_t *allowed(const hr_index *index, const hr_request *request) {
  return request->filter ? request->filter->allow[HR_SORTED] : index->plan.sorted->rows.live;
}

static hr_plan_request plan_of(const hr_index *index, const hr_request *request,
                               const uint64_t *queries, size_t from, size_t count) {
  const hr_postings *sorted = index->plan.sorted;
  hr_plan_request r = {.plan = &index->plan,
                       .queries = queries,
                       .count = count,
                       .allow = allowed(index, request),
                       .cancel = request->cancel,
                       .scan = request->scan,
                       .walk = index->kind == HR_MIH,
                       .deferred = request->deferred ? request->deferred + from : NULL};
  divide(hr_postings_blocks(sorted), request, &r.first, &r.end);
  return r;
}

static void tops_close(hr_collector *tops, size_t count) {
  for (size_t q = 0; tops && q < count; q++) hr_collector_close(&tops[q]);
  free(tops);
}

/* One selection a query, not listed yet; on failure none. */
static hr_status sorted_search(const hr_index *index, const hr_request *request, size_t from,
                               const uint64_t *queries, size_t count, size_t k, uint32_t radius,
                               hr_collector **out, hr_work *work) {
  hr_plan_request r = plan_of(index, request, queries, from, count);
  const hr_postings *sorted = index->plan.sorted;
  uint32_t farthest = (uint32_t)sorted->words * 64;
  hr_collector *tops = hr_alloc_zero(count, sizeof *tops);
  hr_status status = tops ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < count; q++)
    if (!hr_collector_open(&tops[q], k, radius, farthest)) status = HR_NO_MEMORY;
  hr_plan_work done = {.radius = index->bits};
  if (!status) status = hr_plan_search(&r, tops, &done);
  work->checked += done.checked;
  work->probed += done.probed;
  work->scanned += done.scanned;
  if (done.radius < work->radius) work->radius = done.radius;
  if (status) {
    tops_close(tops, count);
    tops = NULL;
  }
  *out = tops;
  return status;
}

static hr_status sorted_topk(const hr_index *index, const hr_request *request, size_t from,
                             const uint64_t *queries, size_t count, size_t k, results out,
                             hr_work *work) {
  const hr_postings *sorted = index->plan.sorted;
  hr_collector *tops;
  hr_status status =
      sorted_search(index, request, from, queries, count, k, UINT32_MAX, &tops, work);
  hr_expansion listing = {0};
  hr_reach found = {0};
  for (size_t q = 0; !status && q < count; q++) {
    found.size = 0;
    if (hr_expand(&listing, sorted, &tops[q], allowed(index, request), &found))
      write_results(found.near, found.size, &sorted->rows, k,
                    (results){out.distances + q * k, out.ids + q * k});
    else
      status = HR_NO_MEMORY;
  }
  free(found.near);
  hr_expansion_close(&listing);
  tops_close(tops, count);
  return status;
}

/* --- all places ---------------------------------------------------------------------- */

static hr_status place_topk(const hr_index *index, int place, const hr_request *request,
                            size_t from, const uint64_t *queries, size_t count, size_t k,
                            results out, hr_work *work) {
  if (place == HR_SORTED) return sorted_topk(index, request, from, queries, count, k, out, work);
  span s = span_of(index, request, place);
  return span_topk(&s, request, from, queries, count, k, out, work);
}

static hr_status merge_place(const hr_index *index, int place, const hr_request *request,
                             size_t from, const uint64_t *queries, size_t count, size_t k,
                             results out, hr_work *work) {
  results more = results_open(count * k), spare = results_open(k);
  hr_status status =
      more.distances && more.ids && spare.distances && spare.ids ? HR_OK : HR_NO_MEMORY;
  if (!status) status = place_topk(index, place, request, from, queries, count, k, more, work);
  for (size_t q = 0; !status && q < count; q++)
    merge_two((results){out.distances + q * k, out.ids + q * k},
              (results){more.distances + q * k, more.ids + q * k}, k, spare);
  results_close(more);
  results_close(spare);
  return status;
}

/* The first place that has codes fills `out`, the others are merged into it. */
static hr_status search_places(const hr_index *index, const hr_request *request, size_t from,
                               const uint64_t *queries, size_t count, size_t k, results out,
                               hr_work *work) {
  hr_status status = HR_OK;
  bool filled = false;
  for (int place = 0; !status && place < HR_SEGMENTS; place++) {
    const hr_segment *rows = hr_index_rows(index, place);
    bool last = place + 1 == HR_SEGMENTS && !filled;
    if (!last && (!rows || !rows->count)) continue;
    status = (filled ? merge_place : place_topk)(index, place, request, from, queries, count, k,
                                                 out, work);
    filled = true;
  }
  return status;
}

/* Queries that pass over the codes together: as many as their selections fit
 * into 32 MiB, at most 256, whose query words stay in L1. */
static size_t queries_together(size_t k, uint32_t bits) {
  size_t each = 2 * k * sizeof(hr_neighbor) + (size_t)bits * sizeof(uint32_t) + 4096;
  size_t fit = ((size_t)32 << 20) / each;
  return fit < 1 ? 1 : fit > 256 ? 256 : fit;
}

hr_status hr_search(const hr_index *index, const hr_request *request, size_t k, int32_t *distances,
                    int64_t *ids, hr_work *work) {
  size_t rows = hr_index_live(index), together = queries_together(k < rows ? k : rows, index->bits);
  hr_status status = HR_OK;
  work->radius = index->bits;
  for (size_t from = 0; !status && from < request->count; from += together) {
    size_t count = request->count - from < together ? request->count - from : together;
    results out = {distances + from * k, ids + from * k};
    uint64_t *queries = load_queries(index, request, from, count);
    status =
        queries ? search_places(index, request, from, queries, count, k, out, work) : HR_NO_MEMORY;
    free(queries);
  }
  return status;
}

hr_status hr_merge(int32_t *distances, int64_t *ids, size_t parts, size_t count, size_t k) {
  results spare = results_open(k);
  if (!spare.distances || !spare.ids) {
    results_close(spare);
    return HR_NO_MEMORY;
  }
  for (size_t p = 1; p < parts; p++)
    for (size_t q = 0; q < count; q++) {
      size_t at = (p * count + q) * k;
      merge_two((results){distances + q * k, ids + q * k}, (results){distances + at, ids + at}, k,
                spare);
    }
  results_close(spare);
  return HR_OK;
}

/* --- radius ------------------------------------------------------------------------- */

void hr_hits_free(hr_hits *hits) {
  free(hits->distances);
  free(hits->ids);
  *hits = (hr_hits){0};
}

static bool hits_reserve(hr_hits *hits, size_t more) {
  if (more <= hits->capacity - hits->size) return true;
  size_t capacity = hits->size + more + hits->capacity;
  int32_t *distances = realloc(hits->distances, capacity * sizeof *distances);
  if (distances) hits->distances = distances;
  int64_t *ids = realloc(hits->ids, capacity * sizeof *ids);
  if (ids) hits->ids = ids;
  if (!distances || !ids) return false;
  hits->capacity = capacity;
  return true;
}

/* By distance; rows come ascending, and a counting sort keeps that. */
static bool sort_reach(hr_reach *reach, uint32_t radius) {
  size_t *starts = hr_alloc_zero((size_t)radius + 2, sizeof *starts);
  hr_neighbor *sorted = hr_alloc(reach->size, sizeof *sorted);
  bool ok = starts && sorted;
  for (size_t i = 0; ok && i < reach->size; i++) starts[reach->near[i].distance + 1]++;
  for (uint32_t d = 0; ok && d <= radius; d++) starts[d + 1] += starts[d];
  for (size_t i = 0; ok && i < reach->size; i++)
    sorted[starts[reach->near[i].distance]++] = reach->near[i];
  if (ok && reach->size) memcpy(reach->near, sorted, reach->size * sizeof *sorted);
  free(starts);
  free(sorted);
  return ok;
}

/* Merges what one place has for a query, by (distance, id), into what the hits have of it
 * from `start` on: from the back, so that nothing is overwritten before it is moved. */
static bool merge_reach(hr_hits *hits, size_t start, const hr_segment *rows,
                        const hr_neighbor *near, size_t count) {
  if (!hits_reserve(hits, count)) return false;
  size_t a = hits->size, b = count;
  for (size_t to = hits->size + count; to-- > start && b;) {
    const hr_neighbor *mine = &near[b - 1];
    int64_t id = hr_segment_id(rows, mine->row);
    bool moved =
        a > start && nearer((int32_t)mine->distance, id, hits->distances[a - 1], hits->ids[a - 1]);
    hits->distances[to] = moved ? hits->distances[a - 1] : (int32_t)mine->distance;
    hits->ids[to] = moved ? hits->ids[a - 1] : id;
    if (moved)
      a--;
    else
      b--;
  }
  hits->size += count;
  return true;
}

static hr_status span_radius(const span *s, const hr_request *request, size_t from,
                             const uint64_t *queries, size_t count, uint32_t radius,
                             hr_reach *reach, hr_work *work) {
  hr_status status = HR_OK;
  if (s->index->kind == HR_LSH) {
    for (size_t q = 0; !status && q < count; q++)
      status =
          lsh_radius(s, request, from + q, queries + q * s->rows->words, radius, &reach[q], work);
  } else {
    status = hr_scan_radius(s->rows, s->first, s->end, queries, count, s->allow, s->cancel, radius,
                            reach);
    work->checked += (uint64_t)span_rows(s) * count;
  }
  for (size_t q = 0; !status && q < count; q++)
    if (!sort_reach(&reach[q], radius)) status = HR_NO_MEMORY;
  return status;
}

static hr_status sorted_radius(const hr_index *index, const hr_request *request, size_t from,
                               const uint64_t *queries, size_t count, uint32_t radius,
                               hr_reach *reach, hr_work *work) {
  hr_collector *tops;
  hr_status status =
      sorted_search(index, request, from, queries, count, SIZE_MAX, radius, &tops, work);
  hr_expansion listing = {0};
  for (size_t q = 0; !status && q < count; q++)
    if (!hr_expand(&listing, index->plan.sorted, &tops[q], allowed(index, request), &reach[q]))
      status = HR_NO_MEMORY;
  hr_expansion_close(&listing);
  tops_close(tops, count);
  return status;
}

static hr_status place_radius(const hr_index *index, int place, const hr_request *request,
                              size_t from, const uint64_t *queries, size_t count, uint32_t radius,
                              hr_reach *reach, hr_work *work) {
  if (place == HR_SORTED)
    return sorted_radius(index, request, from, queries, count, radius, reach, work);
  span s = span_of(index, request, place);
  return span_radius(&s, request, from, queries, count, radius, reach, work);
}

/* The codes within a radius of at most HR_GROUP queries, from all places. */
static hr_status group_range(const hr_index *index, const hr_request *request, size_t from,
                             const uint64_t *queries, size_t count, uint32_t radius, int64_t *lims,
                             hr_hits *hits, hr_work *work) {
  hr_reach reach[HR_SEGMENTS][HR_GROUP] = {{{0}}};
  hr_status status = HR_OK;
  for (int place = 0; !status && place < HR_SEGMENTS; place++) {
    const hr_segment *rows = hr_index_rows(index, place);
    if (rows && rows->count)
      status =
          place_radius(index, place, request, from, queries, count, radius, reach[place], work);
  }
  for (size_t q = 0; q < count; q++) {
    size_t start = hits->size;
    for (int place = 0; place < HR_SEGMENTS; place++) {
      hr_reach *r = &reach[place][q];
      if (!status && r->size &&
          !merge_reach(hits, start, hr_index_rows(index, place), r->near, r->size))
        status = HR_NO_MEMORY;
      free(r->near);
    }
    lims[from + q + 1] = (int64_t)hits->size;
  }
  return status;
}

hr_status hr_range_search(const hr_index *index, const hr_request *request, uint32_t radius,
                          int64_t *lims, hr_hits *hits, hr_work *work) {
  if (radius > index->bits) radius = index->bits;
  *hits = (hr_hits){0};
  work->radius = index->bits;
  lims[0] = 0;
  hr_status status = HR_OK;
  for (size_t from = 0; !status && from < request->count; from += HR_GROUP) {
    size_t count = request->count - from < HR_GROUP ? request->count - from : HR_GROUP;
    uint64_t *queries = load_queries(index, request, from, count);
    status = hr_cancelled(request->cancel) ? HR_CANCELLED : queries ? HR_OK : HR_NO_MEMORY;
    if (!status)
      status = group_range(index, request, from, queries, count, radius, lims, hits, work);
    free(queries);
  }
  if (status) hr_hits_free(hits);
  return status;
}
