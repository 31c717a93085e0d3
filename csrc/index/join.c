/* All pairs within a radius, as the groups that they link.
 *
 * Equal codes are one node, so that a heap of copies costs one search and not the square
 * of its size. Each part of the nodes is searched on its own and leaves a union-find
 * forest; the forests are then joined.
 */
#include "base/memory.h"
#include "index/internal.h"

struct hr_join {
  const hr_index *borrowed; /* whose sorted codes these are, read-locked; NULL: they are our own */
  hr_segment gathered;      /* until they are sorted */
  hr_plan plan;
  hr_postings by_entry; /* the index's codes, without those by row: links are between entries */
  size_t rows;          /* live ones */
  uint8_t *live;        /* a bit a node; NULL: all are */
};

/* Nodes that are searched for together, so that a scan is tiled. */
#define TOGETHER ((size_t)256)

/* Fewer codes are compared faster than looked up. */
#define SCANNED_NODES ((size_t)16384)

static hr_status mark_live(hr_join *join) {
  const hr_postings *sorted = join->plan.sorted;
  if (!sorted->rows.dead) return HR_OK;
  join->live = hr_alloc_zero(sorted->entries / 8 + 1, 1);
  if (!join->live) return HR_NO_MEMORY;
  for (size_t e = 0; e < sorted->entries; e++)
    if (hr_postings_is_live(sorted, e)) join->live[e / 8] |= (uint8_t)(1u << e % 8);
  return HR_OK;
}

static hr_status borrow(hr_join *join, const hr_index *index) {
  join->borrowed = index;
  join->plan = index->plan;
  join->by_entry = *index->plan.sorted;
  join->by_entry.by_row = NULL;
  join->plan.sorted = &join->by_entry;
  return mark_live(join);
}

hr_status hr_join_open(const hr_index *index, bool copy, hr_join **out) {
  hr_join *join = hr_alloc_zero(1, sizeof *join);
  if (!join) return HR_NO_MEMORY;
  join->rows = hr_index_live(index);
  copy = copy || !index->plan.sorted || index->base.count || index->tail.count;
  hr_status status = copy ? hr_index_gather(index, &join->gathered) : borrow(join, index);
  if (status)
    hr_join_close(join);
  else
    *out = join;
  return status;
}

bool hr_join_borrows(const hr_join *join) { return join->borrowed; }

hr_status hr_join_build(hr_join *join, const int *cancel) {
  hr_status status = HR_OK;
  if (!join->borrowed) status = hr_postings_build(&join->gathered, cancel, &join->plan.sorted);
  hr_segment_free(&join->gathered);
  if (!status && !join->borrowed && join->plan.sorted->entries > SCANNED_NODES)
    status = hr_mih_build(join->plan.sorted, 0, cancel, &join->plan.mih);
  /* Tables of HR_MIH come without costs, and here a scan may pay as well. */
  if (!status && join->plan.mih && !(join->plan.costs.block > 0))
    status = hr_plan_measure(&join->plan);
  return status;
}

void hr_join_close(hr_join *join) {
  if (!join->borrowed) hr_plan_close(&join->plan);
  hr_segment_free(&join->gathered);
  free(join->live);
  free(join);
}

size_t hr_join_nodes(const hr_join *join) { return join->plan.sorted->entries; }

size_t hr_join_rows(const hr_join *join) { return join->rows; }

/* --- union-find ------------------------------------------------------------------- */

/* Halves the path on the way: trees stay shallow. */
static uint32_t root_of(uint32_t *parents, uint32_t node) {
  while (parents[node] != node) node = parents[node] = parents[parents[node]];
  return node;
}

/* The smaller node becomes the root. */
static void link_nodes(uint32_t *parents, uint32_t a, uint32_t b) {
  a = root_of(parents, a);
  b = root_of(parents, b);
  if (a < b)
    parents[b] = a;
  else
    parents[a] = b;
}

/* --- one part ----------------------------------------------------------------------- */

static bool is_live(const hr_join *join, size_t node) {
  return !join->live || (join->live[node / 8] >> node % 8 & 1);
}

static void link_found(const hr_join *join, uint32_t node, const hr_collector *top,
                       uint32_t *parents) {
  for (size_t i = 0; i < top->size; i++) {
    uint32_t other = hr_collected_item(top, i);
    if (hr_collected_distance(top, i) <= top->radius && is_live(join, other))
      link_nodes(parents, node, other);
  }
}

static void copy_words(const hr_postings *sorted, size_t entry, uint64_t *words) {
  const uint64_t *from = hr_postings_entry(sorted, entry);
  for (size_t w = 0; w < sorted->words; w++) words[w] = from[w * HR_LANES];
}

typedef struct {
  uint64_t *queries;
  hr_collector *tops;
  uint32_t nodes[TOGETHER];
} chunk;

static hr_status search_chunk(const hr_join *join, chunk *c, size_t count, uint32_t radius,
                              const int *cancel, uint32_t *parents) {
  for (size_t q = 0; q < count; q++) {
    copy_words(join->plan.sorted, c->nodes[q], c->queries + q * join->plan.sorted->words);
    hr_collector_reset(&c->tops[q], radius);
  }
  hr_plan_request request = {.plan = &join->plan,
                             .queries = c->queries,
                             .count = count,
                             .cancel = cancel,
                             .end = hr_postings_blocks(join->plan.sorted)};
  hr_plan_work work = {0};
  hr_status status = hr_plan_search(&request, c->tops, &work);
  for (size_t q = 0; !status && q < count; q++) link_found(join, c->nodes[q], &c->tops[q], parents);
  return status;
}

static bool open_chunk(const hr_join *join, uint32_t radius, chunk *c) {
  uint32_t farthest = (uint32_t)join->plan.sorted->words * 64;
  c->queries = hr_alloc(TOGETHER * join->plan.sorted->words, sizeof *c->queries);
  c->tops = hr_alloc_zero(TOGETHER, sizeof *c->tops);
  bool ok = c->queries && c->tops;
  for (size_t q = 0; ok && q < TOGETHER; q++)
    ok = hr_collector_open(&c->tops[q], SIZE_MAX, radius, farthest);
  return ok;
}

static void close_chunk(chunk *c) {
  for (size_t q = 0; c->tops && q < TOGETHER; q++) hr_collector_close(&c->tops[q]);
  free(c->tops);
  free(c->queries);
}

hr_status hr_join_run(const hr_join *join, uint32_t radius, size_t part, size_t parts,
                      const int *cancel, uint32_t *parents) {
  size_t nodes = hr_join_nodes(join), end = nodes * (part + 1) / parts;
  for (size_t i = 0; i < nodes; i++) parents[i] = (uint32_t)i;
  chunk c;
  hr_status status = open_chunk(join, radius, &c) ? HR_OK : HR_NO_MEMORY;
  for (size_t node = nodes * part / parts; !status && node < end;) {
    size_t count = 0;
    for (; node < end && count < TOGETHER; node++)
      if (is_live(join, node)) c.nodes[count++] = (uint32_t)node;
    bool wanted = join->borrowed && hr_index_wanted(join->borrowed);
    status = wanted ? HR_WANTED : search_chunk(join, &c, count, radius, cancel, parents);
  }
  close_chunk(&c);
  return status;
}

/* --- groups --------------------------------------------------------------------------- */

hr_status hr_join_groups(const hr_join *join, uint32_t *parents, size_t parts, int64_t *ids,
                         int64_t *groups) {
  const hr_postings *sorted = join->plan.sorted;
  size_t nodes = sorted->entries, rows = sorted->rows.count;
  for (size_t p = 1; p < parts; p++)
    for (size_t i = 0; i < nodes; i++) link_nodes(parents, (uint32_t)i, parents[p * nodes + i]);
  uint32_t *node_of = hr_alloc(rows, sizeof *node_of);
  int64_t *first = hr_alloc(nodes, sizeof *first); /* id of each group */
  if (!node_of || !first) {
    free(node_of);
    free(first);
    return HR_NO_MEMORY;
  }
  hr_postings_entries(sorted, node_of);
  for (size_t i = 0; i < nodes; i++) first[i] = INT64_MAX;
  for (size_t row = rows; row-- > 0;)
    if (hr_segment_is_live(&sorted->rows, row))
      first[root_of(parents, node_of[row])] = hr_segment_id(&sorted->rows, row);
  for (size_t row = 0; row < rows; row++) {
    if (!hr_segment_is_live(&sorted->rows, row)) continue;
    *ids++ = hr_segment_id(&sorted->rows, row);
    *groups++ = first[root_of(parents, node_of[row])];
  }
  free(node_of);
  free(first);
  return HR_OK;
}
