/* Copies of the codes that a filter allows, where they are few and were asked for often enough. */
#include "base/memory.h"
#include "index/internal.h"
#include "storage/marks.h"

/* At most one code in so many is allowed. */
#define FEW 2
/* It pays at once where one code in so many is allowed, for a query and for some together. */
#define FEW_FOR_ONE 64
#define FEW_TOGETHER 4
#define TOGETHER 16
/* What copying a code takes, and each of its words; and the unit that time is counted in. */
#define COPY_NS 4
#define WORD_NS 4
#define SPENT_NS 64.0

void hr_few_free(hr_few *few) {
  for (int segment = 0; few && segment < HR_SEGMENTS; segment++) hr_subset_free(&few->of[segment]);
  free(few);
}

static bool is_due(const hr_index *index, const hr_filter *filter, size_t queries) {
  size_t allowed = hr_filter_count(filter), rows = hr_index_live(index);
  if (index->kind == HR_LSH || !queries || !allowed || allowed > rows / FEW) return false;
  if (allowed <= rows / (queries < TOGETHER ? FEW_FOR_ONE : FEW_TOGETHER)) return true;
  double price = (double)(allowed * (COPY_NS + WORD_NS * index->main.words));
  return HR_LOAD(&filter->spent) * SPENT_NS >= price;
}

void hr_filter_spend(hr_filter *filter, const hr_few *few, double ns) {
  if (!filter || few || HR_LOAD(&filter->copying)) return;
  (void)HR_ADD(&filter->spent, (uint32_t)(ns < 1e9 ? ns / SPENT_NS : 1e9 / SPENT_NS));
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
