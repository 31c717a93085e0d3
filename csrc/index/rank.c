/* Searching by a ranking rule: sorted codes by their prefixes, others and those of a narrow filter
 * one after the other. */
#include <math.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/memory.h"
#include "index/internal.h"
#include "rank/walk.h"
#include "storage/blocks.h"

hr_status hr_prefixes_open(const hr_index *index, const hr_rule *rule, hr_prefixes **out) {
  hr_prefixes *prefixes;
  hr_status status = hr_prefixes_create(rule, &prefixes);
  if (status) return status;
  prefixes->state = index->replaced;
  if (index->postings) status = hr_prefixes_find(prefixes, index->postings);
  if (status)
    hr_prefixes_free(prefixes);
  else
    *out = prefixes;
  return status;
}

bool hr_prefixes_fit(const hr_index *index, const hr_prefixes *prefixes) {
  return !index->postings || prefixes->state == index->replaced;
}

/* Comparing less than one code in so many costs less than walking. */
#define FEWEST_SHARE 64

typedef struct {
  const hr_index *index;
  const hr_ranked *ranked;
  uint64_t *words, *prefix; /* of the query */
  double *sums;             /* of its costs, if it has some: of the prefix, and of the rest */
  hr_walker walker;         /* if there are sorted codes */
  hr_nearest nearest;
} search;

static const uint8_t *allowed(const search *s, int segment) {
  const hr_filter *filter = s->ranked->filter;
  return filter ? filter->allow[segment] : hr_index_segment(s->index, segment)->live;
}

static hr_ranked_rows rows_of(const search *s, int segment) {
  return (hr_ranked_rows){.rows = hr_index_segment(s->index, segment),
                          .allow = allowed(s, segment),
                          .cancel = s->ranked->cancel,
                          .work = s->ranked->work};
}

static bool open_search(search *s, const hr_index *index, const hr_ranked *ranked) {
  size_t width = ((size_t)index->bits + 63) / 64;
  *s = (search){.index = index,
                .ranked = ranked,
                .words = hr_alloc(width, sizeof *s->words),
                .prefix = hr_alloc(width, sizeof *s->prefix)};
  if (ranked->costs) s->sums = hr_alloc(2 * HR_SUMS(width), sizeof *s->sums);
  if (!s->words || !s->prefix || (ranked->costs && !s->sums)) return false;
  if (!index->postings) return true;
  hr_ranked_rows rows = rows_of(s, HR_SORTED);
  return hr_walker_open(&s->walker, ranked->prefixes, index->postings, &rows);
}

static void close_search(search *s) {
  free(s->words);
  free(s->prefix);
  free(s->sums);
  hr_walker_close(&s->walker);
  hr_nearest_close(&s->nearest);
}

static const double *cells_of(const hr_ranked *ranked, size_t q) {
  if (!ranked->cells) return NULL;
  return ranked->cells + (size_t)ranked->cell_rows[q] * ranked->prefixes->centres.count;
}

static hr_ranked_query open_query(search *s, size_t q) {
  const hr_ranked *ranked = s->ranked;
  uint32_t bits = s->index->bits;
  const double *least = ranked->least + q * ranked->least_stride;
  hr_words_load(ranked->queries + q * ((bits + 7) / 8), bits, s->words);
  hr_prefix_take(ranked->prefixes, s->words, 1, s->prefix);
  return (hr_ranked_query){.prefixes = ranked->prefixes,
                           .words = s->words,
                           .prefix = s->prefix,
                           .bits = bits,
                           .own_class = hr_prefix_snap(ranked->prefixes, s->prefix),
                           .prefix_least = least,
                           .rest_least = least + ranked->prefixes->bits + 1,
                           .cells = cells_of(ranked, q),
                           .prefix_sums = s->sums,
                           .rest_sums = s->sums ? s->sums + HR_SUMS((bits + 63) / 64) : NULL};
}

/* Sums up what the bits of a query cost. */
static void sum_costs(search *s, size_t q) {
  uint32_t bits = s->index->bits, own = s->ranked->prefixes->bits;
  const double *costs = s->ranked->costs + q * bits;
  hr_costs_sum(costs, 0, own, s->sums);
  hr_costs_sum(costs, own, bits, s->sums + HR_SUMS((bits + 63) / 64));
}

static hr_status search_segment(search *s, int segment, const hr_ranked_query *query) {
  const hr_segment *rows = hr_index_segment(s->index, segment);
  if (!rows || !rows->count) return HR_OK;
  const hr_subset *few = hr_few_of(s->ranked->few, segment);
  const hr_postings *sorted = segment == HR_SORTED ? s->index->postings : NULL;
  bool each = few && few->rows && (!sorted || few->count < sorted->entries / FEWEST_SHARE);
  if (sorted && !each) return hr_walk(&s->walker, query, &s->nearest);
  hr_ranked_rows ranked = rows_of(s, segment);
  hr_source source = each ? hr_source_of_subset(few, ((size_t)s->index->bits + 63) / 64)
                          : hr_source_of_segment(rows, NULL);
  return hr_rank_each(&ranked, &source, query, &s->nearest);
}

/* Leaves what was found in `nearest`, in order. */
static hr_status search_query(search *s, size_t q) {
  hr_ranked_query query = open_query(s, q);
  if (s->sums) sum_costs(s, q);
  hr_status status = hr_cancelled(s->ranked->cancel) ? HR_CANCELLED : HR_OK;
  hr_nearest_begin(&s->nearest, s->ranked->k, s->ranked->radius);
  for (int segment = 0; !status && segment < HR_SEGMENTS; segment++)
    status = search_segment(s, segment, &query);
  if (!status) hr_nearest_sort(&s->nearest);
  return status;
}

hr_status hr_rank_search(const hr_index *index, const hr_ranked *ranked, double *distances,
                         int64_t *ids) {
  double began = ranked->filter ? hr_now_ns() : 0;
  search s;
  size_t k = ranked->k;
  hr_status status = open_search(&s, index, ranked) ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < ranked->count; q++) {
    status = search_query(&s, q);
    for (size_t i = 0; !status && i < k; i++) {
      bool found = i < s.nearest.size;
      distances[q * k + i] = found ? s.nearest.list[i].distance : INFINITY;
      ids[q * k + i] = found ? s.nearest.list[i].id : HR_MISSING_ID;
    }
  }
  close_search(&s);
  if (ranked->filter) hr_filter_spend(ranked->filter, ranked->few, hr_now_ns() - began);
  return status;
}

void hr_ranked_hits_free(hr_ranked_hits *hits) {
  free(hits->distances);
  free(hits->ids);
  *hits = (hr_ranked_hits){0};
}

static bool add_hits(const hr_nearest *nearest, hr_ranked_hits *hits) {
  size_t needed = hits->size + nearest->size, capacity = hits->capacity;
  if (!hr_grow(&hits->distances, &capacity, needed, sizeof *hits->distances) ||
      !hr_grow(&hits->ids, &hits->capacity, needed, sizeof *hits->ids))
    return false;
  for (size_t i = 0; i < nearest->size; i++, hits->size++) {
    hits->distances[hits->size] = nearest->list[i].distance;
    hits->ids[hits->size] = nearest->list[i].id;
  }
  return true;
}

hr_status hr_rank_within(const hr_index *index, const hr_ranked *ranked, int64_t *lims,
                         hr_ranked_hits *hits) {
  double began = ranked->filter ? hr_now_ns() : 0;
  search s;
  *hits = (hr_ranked_hits){0};
  lims[0] = 0;
  hr_status status = open_search(&s, index, ranked) ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < ranked->count; q++) {
    status = search_query(&s, q);
    if (!status && !add_hits(&s.nearest, hits)) status = HR_NO_MEMORY;
    lims[q + 1] = (int64_t)hits->size;
  }
  close_search(&s);
  if (ranked->filter) hr_filter_spend(ranked->filter, ranked->few, hr_now_ns() - began);
  if (status) hr_ranked_hits_free(hits);
  return status;
}
