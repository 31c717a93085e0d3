/* Comparing sorted codes: those of a prefix, or all. */
#include "base/cancel.h"
#include "kernels/dispatch.h"
#include "rank/internal.h"

/* Codes of so few blocks are compared without a pass, whose beginning takes longer. */
#define FEW_BLOCKS ((size_t)8)

/* Offers the rows of an entry, which ascend by id: after one that is not wanted, none is. */
static bool offer_entry(const hr_walker *w, size_t entry, double distance) {
  const hr_postings *postings = w->postings;
  size_t from = hr_postings_start(postings, entry), end = hr_postings_start(postings, entry + 1);
  for (size_t i = from; i < end; i++) {
    uint32_t row = postings->order[i];
    if (row >= postings->rows.count) continue; /* a damaged file, mapped unchecked */
    if (w->rows.allow && !hr_bit(w->rows.allow, row)) continue;
    hr_ranked_id one = {distance, hr_segment_id(w->rows.rows, row)};
    if (!hr_nearest_wants(w->nearest, one)) break;
    if (!hr_nearest_take(w->nearest, one)) return false;
  }
  return true;
}

/* Offers an entry of a prefix, of which so many bits differ in all. */
static bool offer_code(const hr_walker *w, size_t entry, uint32_t differ, hr_shared shared) {
  const uint64_t *code = hr_postings_entry(w->postings, entry);
  double distance = shared.cost + hr_rest_cost(w->query, code, differ - shared.differ);
  return distance > w->nearest->limit || offer_entry(w, entry, distance);
}

/* How many bits of a prefix's codes may differ in all, and one more; 0: none of them matters. */
static uint32_t limit_of(const hr_walker *w, hr_shared shared) {
  int32_t rest = hr_most_within(w->query->rest_least, w->query->bits - w->prefixes->bits,
                                (hr_spending){shared.cost, 1, w->nearest->limit});
  return rest < 0 ? 0 : shared.differ + (uint32_t)rest + 1;
}

static bool compare_few(const hr_walker *w, size_t from, size_t end, hr_shared shared) {
  size_t words = w->postings->words, block = from / HR_LANES;
  uint16_t differ[FEW_BLOCKS * HR_LANES];
  uint32_t limit = limit_of(w, shared);
  hr_active_kernels()->distances(w->postings->blocks + block * words * HR_LANES, words,
                                 hr_block_count(end) - block, w->query->words, differ);
  for (size_t entry = from; entry < end; entry++) {
    uint32_t bits = differ[entry - block * HR_LANES];
    if (bits < limit && !offer_code(w, entry, bits, shared)) return false;
  }
  return true;
}

static hr_pass open_pass(const hr_walker *w, size_t from, size_t end) {
  const uint64_t *query = w->query->words;
  return (hr_pass){.blocks = w->postings->blocks,
                   .words = w->postings->words,
                   .block = from / HR_LANES,
                   .end = hr_block_count(end),
                   .query = {query, query, query, query},
                   .queries = 1};
}

static bool compare_many(const hr_walker *w, size_t from, size_t end, hr_shared shared) {
  hr_hit hits[HR_HITS];
  hr_pass pass = open_pass(w, from, end);
  while (pass.block < pass.end && (pass.limit[0] = limit_of(w, shared)) > 0) {
    size_t found = hr_active_kernels()->scan(&pass, hits);
    for (size_t i = 0; i < found; i++) {
      size_t entry = hits[i].row; /* the first and the last block have others, too */
      if (entry >= from && entry < end && !offer_code(w, entry, hits[i].distance, shared))
        return false;
    }
  }
  return true;
}

bool hr_compare_prefix(const hr_walker *w, size_t prefix, hr_shared shared) {
  size_t from = w->prefixes->starts[prefix], end = w->prefixes->starts[prefix + 1];
  w->rows.work->checked += end - from;
  bool few = hr_block_count(end) - from / HR_LANES <= FEW_BLOCKS;
  return (few ? compare_few : compare_many)(w, from, end, shared);
}

bool hr_try_prefix(const hr_walker *w, size_t prefix, uint32_t differ) {
  const hr_prefixes *p = w->prefixes;
  const uint64_t *words = hr_code_at(p->blocks, p->words, prefix);
  double cost = hr_prefix_cost(w->query, words, HR_LANES, differ);
  hr_shared shared = {differ, hr_shared_cost(w->query, p->classes ? p->classes[prefix] : 0, cost)};
  if (shared.cost > w->nearest->limit) return true;
  w->rows.work->probed++;
  return hr_compare_prefix(w, prefix, shared);
}

/* --- all codes -------------------------------------------------------------------------- */

/* Offers an entry of any prefix, unless less than `low` bits of that differ. */
static bool offer_any(const hr_walker *w, const hr_hit *hit, uint32_t low) {
  const uint64_t *code = hr_postings_entry(w->postings, hit->row);
  double distance;
  return !hr_code_within(w->query, code, hit->distance, (hr_bounds){low, w->nearest->limit},
                         &distance) ||
         offer_entry(w, hit->row, distance);
}

hr_status hr_compare_all(const hr_walker *w, uint32_t low) {
  hr_hit hits[HR_HITS];
  hr_pass pass = open_pass(w, 0, w->postings->entries);
  w->rows.work->checked += w->postings->entries;
  for (size_t passes = 0; pass.block < pass.end; passes++) {
    if (passes % 64 == 0 && hr_cancelled(w->rows.cancel)) return HR_CANCELLED;
    pass.limit[0] = hr_most_of_all(w->query, w->nearest->limit) + 1;
    size_t found = hr_active_kernels()->scan(&pass, hits);
    for (size_t i = 0; i < found; i++) /* the last block is padded */
      if (hits[i].row < w->postings->entries && !offer_any(w, &hits[i], low)) return HR_NO_MEMORY;
  }
  return HR_OK;
}
