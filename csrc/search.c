/* Searching: what every kind shares around its own way to find candidates. */
#include "dispatch.h"
#include "index.h"
#include "memory.h"
#include "scan.h"
#include "select.h"

/* Rows past the LSH tables are compared with every probe, up to this share. */
#define UNTABLED_ROWS ((size_t)256)
#define UNTABLED_SHARE 8

/* --- reading ---------------------------------------------------------------- */

static bool ready(const hr_index *index) {
  if (index->kind != HR_LSH) return true;
  size_t tabled = index->lsh ? hr_lsh_count(index->lsh) : 0, rest = index->base.count - tabled;
  return rest <= UNTABLED_ROWS || rest <= tabled / UNTABLED_SHARE;
}

static hr_status prepare(hr_index *index) {
  if (ready(index)) return HR_OK;
  hr_lsh *lsh;
  hr_status status = hr_lsh_build(&index->base, index->tables, &lsh);
  if (status) return status;
  hr_lsh_free(index->lsh);
  index->lsh = lsh;
  return HR_OK;
}

hr_status hr_read_lock(hr_index *index) {
  for (;;) {
    hr_lock_shared(&index->lock);
    if (ready(index)) return HR_OK;
    hr_unlock_shared(&index->lock);
    hr_lock_exclusive(&index->lock);
    hr_status status = prepare(index);
    hr_unlock_exclusive(&index->lock);
    if (status) return status;
  }
}

void hr_read_unlock(hr_index *index) { hr_unlock_shared(&index->lock); }

/* --- filters ------------------------------------------------------------------ */

static void set_bit(uint8_t *bits, size_t i) { bits[i / 8] |= (uint8_t)(1u << i % 8); }

static hr_status filter_open(const hr_index *index, hr_filter **out) {
  hr_filter *filter = hr_alloc_zero(1, sizeof *filter);
  if (!filter) return HR_NO_MEMORY;
  filter->base = hr_alloc_zero(hr_rows_blocks(&index->base), 1);
  filter->tail = hr_alloc_zero(hr_rows_blocks(&index->tail), 1);
  if (!filter->base || !filter->tail) {
    hr_filter_free(filter);
    return HR_NO_MEMORY;
  }
  *out = filter;
  return HR_OK;
}

void hr_filter_free(hr_filter *filter) {
  if (!filter) return;
  free(filter->base);
  free(filter->tail);
  free(filter);
}

hr_status hr_filter_open_ids(const hr_index *index, const int64_t *ids, size_t n, hr_filter **out,
                             int64_t *culprit) {
  hr_status status = filter_open(index, out);
  for (size_t i = 0; !status && i < n; i++) {
    size_t row = hr_rows_find(&index->base, ids[i]);
    size_t tail_row = row == HR_NO_ROW ? hr_rows_find(&index->tail, ids[i]) : HR_NO_ROW;
    if (row != HR_NO_ROW) {
      set_bit((*out)->base, row);
    } else if (tail_row != HR_NO_ROW) {
      set_bit((*out)->tail, tail_row);
    } else {
      *culprit = ids[i];
      hr_filter_free(*out);
      *out = NULL;
      status = HR_UNKNOWN_ID;
    }
  }
  return status;
}

/* Row i has mask[i]. */
static void pack_mask(const uint8_t *mask, size_t n, uint8_t *bits) {
  hr_active_kernels()->mask(mask, n / 8, bits);
  for (size_t i = n / 8 * 8; i < n; i++)
    if (mask[i]) set_bit(bits, i);
}

hr_status hr_filter_open_mask(const hr_index *index, const uint8_t *mask, size_t n,
                              hr_filter **out) {
  if (n != hr_index_live(index)) return HR_BAD_MASK;
  hr_status status = filter_open(index, out);
  if (status) return status;
  const hr_rows *base = &index->base, *tail = &index->tail;
  if (!base->dead && !tail->count) {
    pack_mask(mask, n, (*out)->base);
    return HR_OK;
  }
  for (size_t a = 0, b = 0; a < base->count || b < tail->count;) {
    bool first = b == tail->count || (a < base->count && hr_rows_id(base, a) < hr_rows_id(tail, b));
    size_t row = first ? a++ : b++;
    if (hr_rows_alive(first ? base : tail, row) && *mask++)
      set_bit(first ? (*out)->base : (*out)->tail, row);
  }
  return HR_OK;
}

/* --- one request ---------------------------------------------------------------- */

/* A run over one of the two sets of rows. */
typedef struct {
  const hr_index *index;
  const hr_rows *rows;
  const hr_lsh *lsh;
  const uint8_t *allow;
  size_t first, end; /* blocks */
  const int *cancel;
} span;

/* The base is divided among the parts; the tail goes with the last part. */
static span span_of(const hr_index *index, const hr_request *request, bool tail) {
  const hr_rows *rows = tail ? &index->tail : &index->base;
  const hr_filter *filter = request->filter;
  size_t blocks = hr_rows_blocks(rows), part = request->part, parts = request->parts;
  span s = {.index = index,
            .rows = rows,
            .lsh = tail ? NULL : index->lsh,
            .allow = filter ? (tail ? filter->tail : filter->base) : rows->live,
            .cancel = request->cancel};
  s.first = tail ? 0 : blocks / parts * part + (part < blocks % parts ? part : blocks % parts);
  s.end =
      tail ? (part + 1 == parts ? blocks : 0) : s.first + blocks / parts + (part < blocks % parts);
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
  size_t kept = 0;
  for (size_t i = 0; i < c->count; i++) {
    uint32_t row = c->rows[i];
    if (row / HR_LANES < s->first || row / HR_LANES >= s->end) continue;
    if (!s->allow || s->allow[row / 8] >> row % 8 & 1) c->rows[kept++] = row;
  }
  c->count = kept;
  c->distances = hr_alloc(kept, sizeof *c->distances);
  if (!c->distances) {
    candidates_close(c);
    return HR_NO_MEMORY;
  }
  hr_active_kernels()->pick(s->rows->blocks, s->rows->words, c->rows, kept, query, c->distances);
  work->checked += kept;
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

static void write_results(const hr_topk *top, const hr_rows *rows, size_t k, results out) {
  for (size_t i = 0; i < k; i++) {
    bool there = i < top->size;
    out.distances[i] = there ? (int32_t)top->near[i].distance : HR_MISSING_DISTANCE;
    out.ids[i] = there ? hr_rows_id(rows, top->near[i].row) : HR_MISSING_ID;
  }
}

/* A damaged file, mapped without its CRCs checked, may have unused bits set. */
static uint32_t farthest(const hr_rows *rows) { return (uint32_t)rows->words * 64; }

/* Selections for `count` queries over one span; results to `out`. */
static hr_status span_topk(const span *s, const hr_request *request, size_t from,
                           const uint64_t *queries, size_t count, size_t k, results out,
                           hr_work *work) {
  size_t rows = span_rows(s), kept = k < rows ? k : rows;
  hr_topk *tops = hr_alloc_zero(count, sizeof *tops);
  hr_near *scratch = hr_alloc(kept, sizeof *scratch);
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
    write_results(&tops[q], s->rows, k, (results){out.distances + q * k, out.ids + q * k});
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

static hr_status merge_tail(const span *tail, const hr_request *request, size_t from,
                            const uint64_t *queries, size_t count, size_t k, results out,
                            hr_work *work) {
  results more = results_open(count * k), spare = results_open(k);
  hr_status status =
      more.distances && more.ids && spare.distances && spare.ids ? HR_OK : HR_NO_MEMORY;
  if (!status) status = span_topk(tail, request, from, queries, count, k, more, work);
  for (size_t q = 0; !status && q < count; q++)
    merge_two((results){out.distances + q * k, out.ids + q * k},
              (results){more.distances + q * k, more.ids + q * k}, k, spare);
  results_close(more);
  results_close(spare);
  return status;
}

/* Queries that pass over the codes together: as many as their selections fit
 * into 32 MiB, at most 256, whose query words stay in L1. */
static size_t queries_together(size_t k, uint32_t bits) {
  size_t each = 2 * k * sizeof(hr_near) + (size_t)bits * sizeof(uint32_t) + 4096;
  size_t fit = ((size_t)32 << 20) / each;
  return fit < 1 ? 1 : fit > 256 ? 256 : fit;
}

hr_status hr_search(const hr_index *index, const hr_request *request, size_t k, int32_t *distances,
                    int64_t *ids, hr_work *work) {
  span base = span_of(index, request, false), tail = span_of(index, request, true);
  size_t rows = span_rows(&base) + span_rows(&tail);
  size_t together = queries_together(k < rows ? k : rows, index->bits);
  hr_status status = HR_OK;
  for (size_t from = 0; !status && from < request->count; from += together) {
    size_t count = request->count - from < together ? request->count - from : together;
    results out = {distances + from * k, ids + from * k};
    uint64_t *queries = load_queries(index, request, from, count);
    status = queries ? span_topk(&base, request, from, queries, count, k, out, work) : HR_NO_MEMORY;
    if (!status && tail.end > tail.first)
      status = merge_tail(&tail, request, from, queries, count, k, out, work);
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
  hr_near *sorted = hr_alloc(reach->size, sizeof *sorted);
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

static bool append_merged(hr_hits *hits, const hr_rows *base, const hr_reach *a,
                          const hr_rows *tail, const hr_reach *b) {
  if (!hits_reserve(hits, a->size + b->size)) return false;
  for (size_t i = 0, j = 0; i < a->size || j < b->size; hits->size++) {
    bool first =
        j == b->size ||
        (i < a->size && nearer((int32_t)a->near[i].distance, hr_rows_id(base, a->near[i].row),
                               (int32_t)b->near[j].distance, hr_rows_id(tail, b->near[j].row)));
    hr_near near = first ? a->near[i++] : b->near[j++];
    hits->distances[hits->size] = (int32_t)near.distance;
    hits->ids[hits->size] = hr_rows_id(first ? base : tail, near.row);
  }
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

hr_status hr_range_search(const hr_index *index, const hr_request *request, uint32_t radius,
                          int64_t *lims, hr_hits *hits, hr_work *work) {
  span base = span_of(index, request, false), tail = span_of(index, request, true);
  if (radius > index->bits) radius = index->bits;
  *hits = (hr_hits){0};
  lims[0] = 0;
  hr_status status = HR_OK;
  for (size_t from = 0; !status && from < request->count; from += HR_GROUP) {
    size_t count = request->count - from < HR_GROUP ? request->count - from : HR_GROUP;
    hr_reach near[HR_GROUP] = {{0}}, late[HR_GROUP] = {{0}};
    uint64_t *queries = load_queries(index, request, from, count);
    status = hr_cancelled(request->cancel) ? HR_CANCELLED : queries ? HR_OK : HR_NO_MEMORY;
    if (!status) status = span_radius(&base, request, from, queries, count, radius, near, work);
    if (!status) status = span_radius(&tail, request, from, queries, count, radius, late, work);
    for (size_t q = 0; q < count; q++) {
      if (!status && !append_merged(hits, base.rows, &near[q], tail.rows, &late[q]))
        status = HR_NO_MEMORY;
      lims[from + q + 1] = (int64_t)hits->size;
      free(near[q].near);
      free(late[q].near);
    }
    free(queries);
  }
  if (status) hr_hits_free(hits);
  return status;
}
