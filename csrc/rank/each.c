/* Codes in no order, few of them: each is compared, and its prefix as well. */
#include "rank/each.h"

#include "base/cancel.h"
#include "kernels/dispatch.h"

/* Blocks that are compared at a time. */
#define SOME_BLOCKS ((size_t)64)

/* Offers the row of the i-th code of a source, of which so many bits differ. */
static bool offer(const hr_ranked_rows *rows, const hr_source *source, const hr_ranked_query *query,
                  size_t i, uint32_t differ, hr_nearest *nearest) {
  size_t row = source->rows ? source->rows[i] : i;
  if (rows->allow && !hr_bit(rows->allow, row)) return true;
  const uint64_t *code = hr_code_at(source->blocks, source->words, i);
  hr_ranked_id one = {.id = hr_segment_id(rows->rows, row)};
  if (!hr_code_within(query, code, differ, (hr_bounds){0, nearest->limit}, &one.distance))
    return true;
  return !hr_nearest_wants(nearest, one) || hr_nearest_take(nearest, one);
}

hr_status hr_rank_each(const hr_ranked_rows *rows, const hr_source *source,
                       const hr_ranked_query *query, hr_nearest *nearest) {
  uint16_t differ[SOME_BLOCKS * HR_LANES];
  rows->work->checked += source->count;
  for (size_t from = 0; from < source->end; from += SOME_BLOCKS) {
    size_t some = source->end - from < SOME_BLOCKS ? source->end - from : SOME_BLOCKS;
    hr_active_kernels()->distances(source->blocks + from * source->words * HR_LANES, source->words,
                                   some, query->words, differ);
    size_t first = from * HR_LANES, left = source->count - first;
    for (size_t i = 0; i < some * HR_LANES && i < left; i++)
      if (!offer(rows, source, query, first + i, differ[i], nearest)) return HR_NO_MEMORY;
    if (hr_cancelled(rows->cancel)) return HR_CANCELLED;
  }
  return HR_OK;
}
