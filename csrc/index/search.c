/* Searching: in each segment, by the way of its kind; then from what was found to rows; then the
 * segments' rows merged. */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/memory.h"
#include "index/internal.h"
#include "storage/blocks.h"
#include "topk/expand.h"

/* Queries of a request that are asked together, and what each segment has for them. */
typedef struct {
  hr_index *index;
  const hr_request *request;
  size_t from;        /* the first of them */
  hr_queries queries; /* words: our own */
  const hr_segment *rows[HR_SEGMENTS];
  hr_collector *collectors[HR_SEGMENTS]; /* one a query; NULL: the segment is empty */
  hr_expansion expansion;
  hr_neighbors found[HR_SEGMENTS]; /* of one query */
} search;

static const uint8_t *allowed(const search *s, int segment) {
  return s->request->filter ? s->request->filter->allow[segment] : s->rows[segment]->live;
}

/* Comparing less than one code in so many costs less than looking for them in buckets. */
#define FEWEST_SHARE 64

/* HR_APPROXIMATE: more are looked for than are wanted, where some may not be results. */
static size_t nearest_of_all(const search *s) {
  const hr_filter *filter = s->request->filter;
  const hr_segment *rows = s->rows[HR_SORTED];
  return hr_ivf_among(s->queries.k, rows->count,
                      filter ? filter->allowed[HR_SORTED] : hr_segment_live(rows));
}

/* Looks into lists if that pays; else sets `*compare`. */
static hr_status search_lists(search *s, const uint8_t *allow, bool *compare) {
  const hr_request *request = s->request;
  const hr_ivf *ivf = s->index->ivf;
  hr_ivf_wish wish = {nearest_of_all(s), s->queries.radius};
  *compare |= request->scan || request->parts > 1 || !hr_ivf_pays(ivf, &wish, s->queries.count);
  if (*compare) return HR_OK;
  hr_source source = hr_source_of_postings(s->index->postings, allow, HR_ENTRIES);
  return hr_ivf_search(&(hr_ivf_request){ivf, &source, wish}, &s->queries,
                       s->collectors[HR_SORTED]);
}

/* Where very few are allowed, comparing those is a scan that HR_MIH does too, and that no query is
 * put off for. */
static hr_status search_postings(search *s) {
  hr_index *index = s->index;
  const hr_request *request = s->request;
  const uint8_t *allow = allowed(s, HR_SORTED);
  const hr_subset *few = hr_few_of(request->few, HR_SORTED);
  bool compare = few && few->count < index->postings->entries / FEWEST_SHARE;
  s->expansion.postings = index->postings;
  s->expansion.allow = allow;
  s->expansion.few = few ? few->shared : NULL;
  if (index->ivf) {
    hr_status status = search_lists(s, allow, &compare);
    if (status || !compare) return status;
  }
  hr_target target = {.postings = index->postings,
                      .mih = index->mih,
                      .planner = &index->planner,
                      .source = few ? hr_source_of_subset(few, s->queries.width)
                                    : hr_source_of_postings(index->postings, allow, HR_ROWS),
                      .allow = allow,
                      .scan = request->scan || compare,
                      .probe = index->kind == HR_MIH,
                      .deferred = request->deferred && !few ? request->deferred + s->from : NULL};
  hr_source_divide(&target.source, request->part, request->parts);
  return hr_planner_search(&target, &s->queries, s->collectors[HR_SORTED]);
}

/* Compares all codes. */
static hr_status scan(const hr_source *source, const hr_queries *queries,
                      hr_collector *collectors) {
  hr_collector **each = hr_alloc(queries->count, sizeof *each);
  if (!each) return HR_NO_MEMORY;
  for (size_t q = 0; q < queries->count; q++) each[q] = &collectors[q];
  queries->work->checked += (uint64_t)(source->end - source->first) * HR_LANES * queries->count;
  hr_status status = hr_scan(source, queries, each);
  free(each);
  return status;
}

/* Large segments are divided among the parts; the deltas go with the last part. */
static hr_status search_rows(search *s, int segment) {
  hr_index *index = s->index;
  const hr_request *request = s->request;
  const hr_subset *few = hr_few_of(request->few, segment);
  hr_source source = few ? hr_source_of_subset(few, s->queries.width)
                         : hr_source_of_segment(s->rows[segment], allowed(s, segment));
  if (segment == HR_MAIN || segment == HR_FROZEN_MAIN)
    hr_source_divide(&source, request->part, request->parts);
  else if (request->part + 1 < request->parts)
    source.end = 0;
  if (index->kind != HR_LSH) return scan(&source, &s->queries, s->collectors[segment]);
  hr_lsh_options options = {index->bits, index->tables, request->probes, NULL};
  if (request->margins) options.margins = request->margins + s->from * index->bits;
  return hr_lsh_search(segment == HR_MAIN ? index->lsh : NULL, &source, &options, &s->queries,
                       s->collectors[segment]);
}

static hr_status search_segments(search *s) {
  hr_status status = HR_OK;
  for (int segment = 0; !status && segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = s->rows[segment] = hr_index_segment(s->index, segment);
    if (!rows || !rows->count) continue;
    s->collectors[segment] =
        hr_collectors_open(segment == HR_SORTED ? HR_ENTRIES : HR_ROWS, &s->queries);
    if (!s->collectors[segment]) return HR_NO_MEMORY;
    status = segment == HR_SORTED ? search_postings(s) : search_rows(s, segment);
  }
  return status;
}

/* Fills `found`; returns how many rows there are in all, or SIZE_MAX when out of memory. */
static size_t expand(search *s, size_t q) {
  size_t sum = 0;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    s->found[segment].size = 0;
    if (!s->collectors[segment]) continue;
    if (!hr_expand(&s->expansion, &s->collectors[segment][q], &s->found[segment])) return SIZE_MAX;
    sum += s->found[segment].size;
  }
  return sum;
}

static bool nearer(int32_t distance_a, int64_t id_a, int32_t distance_b, int64_t id_b) {
  return distance_a != distance_b ? distance_a < distance_b : id_a < id_b;
}

static int64_t next_id(const search *s, int segment, size_t at) {
  return hr_segment_id(s->rows[segment], s->found[segment].list[at].row);
}

/* The segment whose next row is the nearest. */
static int nearest_segment(const search *s, const size_t *at) {
  int best = -1;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    if (at[segment] == s->found[segment].size) continue;
    if (best < 0 ||
        nearer((int32_t)s->found[segment].list[at[segment]].distance,
               next_id(s, segment, at[segment]), (int32_t)s->found[best].list[at[best]].distance,
               next_id(s, best, at[best])))
      best = segment;
  }
  return best;
}

/* The first `count` of what was found, by (distance, id). `all`: how many rows that is in all. */
static void merge(const search *s, size_t all, size_t count, int32_t *distances, int64_t *ids) {
  size_t at[HR_SEGMENTS] = {0};
  for (size_t i = 0; i < count; i++) {
    int segment = nearest_segment(s, at);
    size_t run = s->found[segment].size == all ? count : i + 1; /* all in one segment */
    for (;; i++) {
      distances[i] = (int32_t)s->found[segment].list[at[segment]].distance;
      ids[i] = next_id(s, segment, at[segment]++);
      if (i + 1 == run) break;
    }
  }
}

static void close_search(search *s) {
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    hr_collectors_close(s->collectors[segment], s->queries.count);
    free(s->found[segment].list);
  }
  hr_expansion_close(&s->expansion);
  free((void *)s->queries.words);
}

/* Asks `count` queries from a number on, all segments; to be closed in any case. */
static hr_status open_search(search *s, hr_index *index, const hr_request *request, size_t from,
                             size_t count) {
  size_t width = ((size_t)index->bits + 63) / 64, bytes = ((size_t)index->bits + 7) / 8;
  uint64_t *words = hr_alloc(count * width, sizeof *words);
  for (size_t q = 0; words && q < count; q++)
    hr_words_load(request->queries + (from + q) * bytes, index->bits, words + q * width);
  *s = (search){.index = index, .request = request, .from = from};
  s->queries = (hr_queries){.words = words,
                            .count = count,
                            .width = width,
                            .k = request->k,
                            .radius = request->radius,
                            .cancel = request->cancel,
                            .work = request->work};
  if (hr_cancelled(request->cancel)) return HR_CANCELLED;
  return words ? search_segments(s) : HR_NO_MEMORY;
}

static size_t group_size(const hr_request *request, size_t from, size_t together) {
  return request->count - from < together ? request->count - from : together;
}

/* Queries that pass over the codes together: as many as their collectors fit into 32 MiB, at most
 * 256, whose query words stay in L1. */
static size_t queries_together(size_t k, uint32_t bits) {
  size_t each = 4 * k * sizeof(uint64_t) + (size_t)bits * sizeof(uint64_t) + 4096;
  size_t fit = ((size_t)32 << 20) / each;
  return fit < 1 ? 1 : fit > 256 ? 256 : fit;
}

/* A few microseconds: so many words compared, rows returned, and rows that entries may have to be
 * gone through for, be they equally near or removed. */
#define SHORT_WORDS ((size_t)1 << 13)
#define SHORT_ROWS ((size_t)256)
#define SHORT_GATHERED ((size_t)1 << 16)

bool hr_search_is_short(const hr_index *index, const hr_request *request) {
  if (!request->count || request->count > SHORT_ROWS) return false;
  if (request->k > SHORT_ROWS / request->count) return false;
  const hr_postings *sorted = index->postings;
  size_t codes = hr_index_aside(index);
  bool shared = sorted && sorted->starts;
  if (shared && request->k && sorted->entries > SHORT_GATHERED / request->k) return false;
  if (shared && sorted->rows.tombstones > SHORT_GATHERED) return false;
  if (request->filter)
    codes = hr_filter_compared(index, request->few);
  else if (sorted)
    codes += sorted->entries;
  return index->kind != HR_LSH && codes <= SHORT_WORDS / request->count / index->main.words;
}

hr_status hr_search(hr_index *index, const hr_request *request, int32_t *distances, int64_t *ids) {
  size_t rows = hr_index_live(index), k = request->k;
  size_t together = queries_together(k < rows ? k : rows, index->bits);
  hr_request nearest = *request;
  nearest.radius = UINT32_MAX;
  double began = request->filter ? hr_now_ns() : 0;
  hr_status status = HR_OK;
  request->work->radius = index->bits;
  for (size_t from = 0; !status && from < request->count; from += together) {
    search s;
    status = open_search(&s, index, &nearest, from, group_size(request, from, together));
    for (size_t q = 0; !status && q < s.queries.count; q++) {
      size_t found = expand(&s, q), at = (from + q) * k;
      if (found == SIZE_MAX) status = HR_NO_MEMORY;
      if (!status) merge(&s, found, found < k ? found : k, distances + at, ids + at);
      for (size_t i = found; !status && i < k; i++) {
        distances[at + i] = HR_MISSING_DISTANCE;
        ids[at + i] = HR_MISSING_ID;
      }
    }
    close_search(&s);
  }
  if (request->filter) hr_filter_spend(request->filter, request->few, hr_now_ns() - began);
  return status;
}

void hr_hits_free(hr_hits *hits) {
  free(hits->distances);
  free(hits->ids);
  *hits = (hr_hits){0};
}

static bool reserve(hr_hits *hits, size_t more) {
  size_t needed = hits->size + more, capacity = hits->capacity;
  return hr_grow(&hits->distances, &capacity, needed, sizeof *hits->distances) &&
         hr_grow(&hits->ids, &hits->capacity, needed, sizeof *hits->ids);
}

/* The rows found for a query become hits. */
static bool add_hits(search *s, size_t q, hr_hits *hits) {
  size_t found = expand(s, q);
  if (found == SIZE_MAX || !reserve(hits, found)) return false;
  merge(s, found, found, hits->distances + hits->size, hits->ids + hits->size);
  hits->size += found;
  return true;
}

/* So many are scanned by strips; what they find is held twice for a moment, so they are no more. */
#define RANGE_GROUP 16

hr_status hr_range_search(hr_index *index, const hr_request *request, int64_t *lims,
                          hr_hits *hits) {
  double began = request->filter ? hr_now_ns() : 0;
  hr_request all = *request;
  if (all.radius > index->bits) all.radius = index->bits;
  all.k = SIZE_MAX;
  *hits = (hr_hits){0};
  request->work->radius = index->bits;
  lims[0] = 0;
  hr_status status = HR_OK;
  for (size_t from = 0; !status && from < request->count; from += RANGE_GROUP) {
    search s;
    status = open_search(&s, index, &all, from, group_size(request, from, RANGE_GROUP));
    for (size_t q = 0; !status && q < s.queries.count; q++) {
      if (!add_hits(&s, q, hits)) status = HR_NO_MEMORY;
      lims[from + q + 1] = (int64_t)hits->size;
    }
    close_search(&s);
  }
  if (request->filter) hr_filter_spend(request->filter, request->few, hr_now_ns() - began);
  if (status) hr_hits_free(hits);
  return status;
}

/* The nearest of what parts have next, k times: missing ones lose against every real one. */
hr_status hr_merge(int32_t *distances, int64_t *ids, size_t parts, size_t count, size_t k) {
  size_t *next = hr_alloc(parts, sizeof *next);
  int32_t *nearest = hr_alloc(k, sizeof *nearest);
  int64_t *nearest_ids = hr_alloc(k, sizeof *nearest_ids);
  bool ok = next && nearest && nearest_ids;
  for (size_t q = 0; ok && q < count; q++) {
    for (size_t p = 0; p < parts; p++) next[p] = (p * count + q) * k;
    for (size_t i = 0; i < k; i++) {
      size_t best = 0;
      for (size_t p = 1; p < parts; p++)
        if (nearer(distances[next[p]], ids[next[p]], distances[next[best]], ids[next[best]]))
          best = p;
      nearest[i] = distances[next[best]];
      nearest_ids[i] = ids[next[best]++];
    }
    memcpy(distances + q * k, nearest, k * sizeof *nearest);
    memcpy(ids + q * k, nearest_ids, k * sizeof *nearest_ids);
  }
  free(next);
  free(nearest);
  free(nearest_ids);
  return ok ? HR_OK : HR_NO_MEMORY;
}
