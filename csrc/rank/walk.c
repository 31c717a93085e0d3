/* Prefix after prefix, by how many bits of it differ.
 *
 * Codes of one prefix have that part of their distance in common, and in the rest of them as many
 * bits differ as in the whole codes less those of the prefix: the kernels that compare whole codes
 * do for it. A round takes the prefixes at some distances, at first about as many as have k rows;
 * the nearer they are, the sooner the k-th distance is so small that few of the others matter.
 * Where many would matter that have few codes each, all codes are compared instead, with as many
 * different bits as can be within the k-th distance wherever they are.
 */
#include "rank/walk.h"

#include <math.h>

#include "base/cancel.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "kernels/dispatch.h"
#include "rank/internal.h"

/* Blocks from which is guessed how many prefixes, or codes, there are within a distance. */
#define SAMPLE_BLOCKS ((size_t)64)
/* A round takes so many prefixes at least, and each so many times those of the last. */
#define FIRST_PREFIXES 16
#define GROWTH 8
/* What these take, in times of comparing a word of a code: a prefix, and a code that is near. */
#define OF_PREFIX 150
#define OF_HIT 100
/* Prefixes between two looks at whether the search is cancelled. */
#define BETWEEN ((size_t)64)

bool hr_walker_open(hr_walker *w, const hr_prefixes *prefixes, const hr_postings *postings,
                    const hr_ranked_rows *rows) {
  *w = (hr_walker){.prefixes = prefixes, .postings = postings, .rows = *rows};
  w->starts = hr_alloc((size_t)prefixes->bits + 3, sizeof *w->starts);
  w->counts = hr_alloc(HR_MAX_BITS + 1, HR_COUNTERS * sizeof *w->counts);
  w->cells = hr_alloc(prefixes->centres.count + 1, sizeof *w->cells);
  return w->starts && w->counts && w->cells;
}

void hr_walker_close(hr_walker *w) {
  free(w->taken);
  free(w->order);
  free(w->starts);
  free(w->counts);
  free(w->cells);
}

/* --- samples ---------------------------------------------------------------------------- */

/* Counts the distances of some codes in blocks, of so many words, from a query. */
static void take_sample(hr_walker *w, const uint64_t *blocks, size_t codes, const uint64_t *query,
                        size_t words) {
  size_t all = hr_block_count(codes), rest = codes % HR_LANES;
  size_t some = all < SAMPLE_BLOCKS ? all : SAMPLE_BLOCKS;
  uint16_t distances[HR_LANES];
  w->among = 0;
  memset(w->counts, 0, (words * 64 + 1) * HR_COUNTERS * sizeof *w->counts);
  for (size_t i = 0; i < some; i++) {
    size_t block = i * all / some, count = rest && block == all - 1 ? rest : HR_LANES;
    hr_active_kernels()->distances(blocks + block * words * HR_LANES, words, 1, query, distances);
    hr_count(distances, count, w->counts);
    w->among += count;
  }
}

/* The share of the sample within a distance. */
static double share_within(const hr_walker *w, uint32_t distance) {
  size_t counted = 0;
  for (uint32_t d = 0; d <= distance; d++) counted += hr_counted(w->counts, d);
  return (double)counted / (double)w->among;
}

static void sample_prefixes(hr_walker *w) {
  const hr_prefixes *p = w->prefixes;
  take_sample(w, p->blocks, p->count, w->query->prefix, p->words);
}

/* Whether comparing all codes takes less than walking to the prefixes of which so many bits differ;
 * the sample is of these, then of codes. */
static bool all_pays(hr_walker *w, uint32_t most) {
  const hr_postings *postings = w->postings;
  double limit = w->nearest->limit, entries = (double)postings->entries;
  double walking = share_within(w, most) * (double)w->prefixes->count * OF_PREFIX;
  double comparing = entries * (double)postings->words;
  if (limit == INFINITY || walking < comparing) return false;
  take_sample(w, postings->blocks, postings->entries, w->query->words, postings->words);
  double hits = entries * share_within(w, hr_most_of_all(w->query, limit));
  bool pays = walking > comparing + hits * OF_HIT;
  if (!pays) sample_prefixes(w);
  return pays;
}

/* The distance, from one on, within which there are probably so many prefixes. */
static uint32_t level_of(const hr_walker *w, double wanted, uint32_t low) {
  double counted = 0, enough = wanted * (double)w->among / (double)w->prefixes->count;
  for (uint32_t d = 0; d < w->prefixes->bits; d++) {
    counted += (double)hr_counted(w->counts, d);
    if (d >= low && counted >= enough) return d;
  }
  return w->prefixes->bits;
}

/* --- rounds ----------------------------------------------------------------------------- */

static bool take_hits(hr_walker *w, const hr_hit *hits, size_t count, uint32_t low) {
  if (!hr_grow(&w->taken, &w->capacity, w->size + count + 1, sizeof *w->taken)) return false;
  for (size_t i = 0; i < count; i++) {
    w->taken[w->size] = (uint64_t)hits[i].distance << 32 | hits[i].row;
    w->size += hits[i].distance >= low && hits[i].row < w->prefixes->count;
  }
  return true;
}

/* Takes all prefixes at distances low to high. */
static bool take_round(hr_walker *w, uint32_t low, uint32_t high) {
  const hr_prefixes *p = w->prefixes;
  const uint64_t *query = w->query->prefix;
  hr_hit hits[HR_HITS];
  hr_pass pass = {.blocks = p->blocks,
                  .words = p->words,
                  .end = hr_block_count(p->count),
                  .query = {query, query, query, query},
                  .limit = {high + 1},
                  .queries = 1};
  w->size = 0;
  while (pass.block < pass.end) {
    size_t found = hr_active_kernels()->scan(&pass, hits);
    if (!take_hits(w, hits, found, low)) return false;
  }
  if (!hr_grow(&w->order, &w->room, w->size, sizeof *w->order)) return false;
  hr_sort_by_distance(w->taken, w->size, high, w->starts, w->order);
  return true;
}

/* Compares the codes of the prefixes that were taken at one distance. */
static hr_status compare_level(hr_walker *w, uint32_t differ) {
  for (size_t i = w->starts[differ]; i < w->starts[differ + 1]; i++) {
    if (i % BETWEEN == 0 && hr_cancelled(w->rows.cancel)) return HR_CANCELLED;
    if (!hr_try_prefix(w, w->order[i], differ)) return HR_NO_MEMORY;
  }
  return HR_OK;
}

/* About as many prefixes as have k rows. */
static double first_wanted(const hr_walker *w) {
  double prefixes = (double)w->prefixes->count, rows = (double)w->rows.rows->count;
  double share = w->nearest->k < w->rows.rows->count ? (double)w->nearest->k / rows : 1;
  return prefixes * share + FIRST_PREFIXES;
}

/* How many bits of a prefix may differ, and its codes can matter still; -1: none. */
static int32_t farthest(const hr_walker *w) {
  hr_spending spending = {0, w->prefixes->share, w->nearest->limit};
  return hr_most_within(w->query->prefix_least, w->prefixes->bits, spending);
}

hr_status hr_walk(hr_walker *w, const hr_ranked_query *query, hr_nearest *nearest) {
  w->query = query;
  w->nearest = nearest;
  if (!w->prefixes->count) return HR_OK;
  if (query->cells) return hr_walk_cells(w);
  sample_prefixes(w);
  double wanted = first_wanted(w);
  hr_status status = HR_OK;
  int32_t most = farthest(w);
  for (int32_t low = 0; !status && low <= most; most = farthest(w), wanted *= GROWTH) {
    if (all_pays(w, (uint32_t)most)) return hr_compare_all(w, (uint32_t)low);
    int32_t high = (int32_t)level_of(w, wanted, (uint32_t)low);
    if (high > most) high = most;
    if (!take_round(w, (uint32_t)low, (uint32_t)high)) return HR_NO_MEMORY;
    for (; !status && low <= high; low++) status = compare_level(w, (uint32_t)low);
  }
  return status;
}
