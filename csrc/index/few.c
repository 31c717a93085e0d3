/* Copies of the codes that a filter allows, where they are few and were asked for often enough. */
#include "base/memory.h"
#include "index/internal.h"
#include "storage/marks.h"

/* At most one code in so many is allowed. */
#define FEW 2
/* To copy a code takes as long as comparing so many. */
#define COPY 64

void hr_few_free(hr_few *few) {
  for (int segment = 0; few && segment < HR_SEGMENTS; segment++) hr_subset_free(&few->of[segment]);
  free(few);
}

/* Whether `queries` more bring the codes that were compared, each time, to what a copy costs. */
static bool is_due(const hr_index *index, hr_filter *filter, size_t queries) {
  size_t rows = hr_index_live(index), allowed = hr_filter_count(filter);
  if (index->kind == HR_LSH || !queries || allowed > rows / FEW) return false;
  uint32_t asked = HR_LOAD(&filter->asked);
  asked = queries < UINT32_MAX - asked ? asked + (uint32_t)queries : UINT32_MAX;
  HR_STORE(&filter->asked, asked);
  return (double)asked * (double)rows >= (double)allowed * COPY;
}

static bool list_rows(const uint8_t *bits, const hr_segment *rows, size_t count, uint32_t **out) {
  uint32_t *list = *out = hr_alloc(count, sizeof *list);
  if (!list) return false;
  hr_marked marked = hr_marked_open(bits, hr_block_count(rows->count));
  for (hr_marked_next(&marked); marked.row != HR_NO_ROW; hr_marked_next(&marked))
    *list++ = (uint32_t)marked.row;
  return true;
}

static hr_status copy_segment(const hr_index *index, const hr_filter *filter, int segment,
                              hr_subset *out) {
  const hr_segment *rows = hr_index_segment(index, segment);
  const hr_postings *postings = segment == HR_SORTED ? index->postings : NULL;
  size_t count = filter->allowed[segment];
  uint32_t *list;
  if (!rows || !rows->count) return HR_OK;
  if (!list_rows(filter->allow[segment], rows, count, &list)) return HR_NO_MEMORY;
  return hr_subset_open(rows, postings, list, count, out);
}

static hr_few *copy(const hr_index *index, const hr_filter *filter) {
  hr_few *few = hr_alloc_zero(1, sizeof *few);
  hr_status status = few ? HR_OK : HR_NO_MEMORY;
  for (int segment = 0; !status && segment < HR_SEGMENTS; segment++)
    status = copy_segment(index, filter, segment, &few->of[segment]);
  if (!status) return few;
  hr_few_free(few);
  return NULL;
}

const hr_few *hr_filter_few(const hr_filter *filter) { return HR_SEE(&filter->few); }

/* Without memory for a copy all codes are compared, as before. */
hr_status hr_filter_prepare(const hr_index *index, hr_filter *filter, size_t queries,
                            const hr_few **out) {
  *out = hr_filter_few(filter);
  if (*out || HR_LOAD(&filter->copying) || !is_due(index, filter, queries)) return HR_OK;
  if (index->postings && !hr_postings_listed(index->postings)) return HR_NOT_READY;
  if (!HR_TAKE(&filter->copying)) return HR_OK;
  hr_few *few = copy(index, filter);
  HR_PUBLISH(&filter->few, few);
  *out = few;
  return HR_OK;
}

size_t hr_filter_compared(const hr_index *index, const hr_few *few) {
  size_t sum = 0;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    const hr_subset *copied = hr_few_of(few, segment);
    if (rows) sum += copied ? copied->count : rows->count;
  }
  return sum;
}
