/* All pairs within a radius, as the groups that they link.
 *
 * Equal codes are one node, so that a heap of copies costs one search and not the square
 * of its size. Each part of the nodes is searched on its own and leaves a union-find
 * forest; the forests are then joined.
 */
#include "base/memory.h"
#include "index/internal.h"
#include "storage/blocks.h"
#include "storage/postings_build.h"

struct hr_join {
  const hr_index *borrowed; /* whose sorted codes these are, read-locked; NULL: they are our own */
  hr_segment gathered;      /* until they are sorted */
  hr_postings *postings;
  hr_mih *mih;        /* NULL: few codes */
  hr_planner planner; /* our own: the index's speaks of other queries */
  size_t rows;        /* live ones */
};

/* Nodes that are searched for together, so that a scan is tiled. */
#define TOGETHER ((size_t)256)

/* Fewer codes are compared faster than looked up. */
#define SCANNED_NODES ((size_t)16384)

hr_status hr_join_open(const hr_index *index, bool copy, hr_join **out) {
  hr_join *join = hr_alloc_zero(1, sizeof *join);
  if (!join) return HR_NO_MEMORY;
  join->rows = hr_index_live(index);
  hr_status status = HR_OK;
  /* Codes in lists are not in the order that tables need. */
  if (copy || !index->postings || index->ivf || hr_index_aside(index)) {
    status = hr_index_gather(index, &join->gathered);
  } else {
    join->borrowed = index;
    join->postings = index->postings;
    join->mih = index->mih;
    join->planner.costs = index->planner.costs;
  }
  if (status)
    free(join);
  else
    *out = join;
  return status;
}

bool hr_join_borrows(const hr_join *join) { return join->borrowed; }

hr_status hr_join_build(hr_join *join, const int *cancel) {
  hr_status status = HR_OK;
  if (!join->borrowed) status = hr_postings_build(&join->gathered, cancel, &join->postings);
  hr_segment_free(&join->gathered);
  if (!status && !join->borrowed && join->postings->entries > SCANNED_NODES)
    status = hr_mih_build(join->postings, 0, cancel, &join->mih);
  /* Tables of HR_MIH come without costs, and here a scan may pay as well. */
  if (!status && join->mih && !(join->planner.costs.block > 0))
    status = hr_calibrate(join->postings, join->mih, &join->planner.costs);
  return status;
}

void hr_join_close(hr_join *join) {
  if (!join->borrowed) {
    hr_mih_free(join->mih);
    hr_postings_free(join->postings);
  }
  hr_segment_free(&join->gathered);
  free(join);
}

size_t hr_join_nodes(const hr_join *join) { return join->postings->entries; }

size_t hr_join_rows(const hr_join *join) { return join->rows; }

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

static bool is_live(const hr_join *join, size_t node) {
  return !join->postings->rows.tombstones || hr_postings_is_live(join->postings, node);
}

static void link_found(const hr_join *join, uint32_t node, const hr_collector *found,
                       uint32_t *parents) {
  for (size_t i = 0; i < found->size; i++) {
    uint32_t other = hr_taken_item(found, i);
    if (is_live(join, other)) link_nodes(parents, node, other);
  }
}

/* Nodes whose neighbours are searched for together. */
typedef struct {
  uint64_t *words;
  hr_work work;
  hr_queries queries;
  hr_collector *collectors;
  uint32_t nodes[TOGETHER];
} group;

static bool open_group(const hr_join *join, uint32_t radius, const int *cancel, group *g) {
  size_t width = join->postings->words;
  *g = (group){.words = hr_alloc(TOGETHER * width, sizeof *g->words)};
  g->queries = (hr_queries){.words = g->words,
                            .count = TOGETHER,
                            .width = width,
                            .k = SIZE_MAX,
                            .radius = radius,
                            .cancel = cancel,
                            .work = &g->work};
  g->collectors = hr_collectors_open(HR_ENTRIES, &g->queries);
  return g->words && g->collectors;
}

static void close_group(group *g) {
  hr_collectors_close(g->collectors, TOGETHER);
  free(g->words);
}

/* Fills a group with the live nodes of [node, end); returns where to go on. */
static size_t fill_group(const hr_join *join, size_t node, size_t end, group *g) {
  const hr_postings *postings = join->postings;
  size_t count = 0;
  for (; node < end && count < TOGETHER; node++) {
    if (!is_live(join, node)) continue;
    hr_words_gather(hr_postings_entry(postings, node), postings->words,
                    g->words + count * postings->words);
    hr_collector_reset(&g->collectors[count], g->queries.radius);
    g->nodes[count++] = (uint32_t)node;
  }
  g->queries.count = count;
  return node;
}

hr_status hr_join_run(hr_join *join, const hr_join_part *part, uint32_t *parents) {
  size_t nodes = hr_join_nodes(join), end = nodes * (part->part + 1) / part->parts;
  hr_target target = {.postings = join->postings,
                      .mih = join->mih,
                      .planner = &join->planner,
                      .source = hr_source_of_postings(join->postings, NULL, HR_ENTRIES)};
  for (size_t i = 0; i < nodes; i++) parents[i] = (uint32_t)i;
  group g;
  hr_status status = open_group(join, part->radius, part->cancel, &g) ? HR_OK : HR_NO_MEMORY;
  for (size_t node = nodes * part->part / part->parts; !status && node < end;) {
    if (join->borrowed && hr_index_wanted(join->borrowed)) status = HR_WANTED;
    node = fill_group(join, node, end, &g);
    if (!status) status = hr_planner_search(&target, &g.queries, g.collectors);
    for (size_t q = 0; !status && q < g.queries.count; q++)
      link_found(join, g.nodes[q], &g.collectors[q], parents);
  }
  close_group(&g);
  return status;
}

hr_status hr_join_groups(const hr_join *join, uint32_t *parents, size_t parts, int64_t *ids,
                         int64_t *groups) {
  const hr_postings *postings = join->postings;
  size_t nodes = postings->entries, rows = postings->rows.count;
  for (size_t p = 1; p < parts; p++)
    for (size_t i = 0; i < nodes; i++) link_nodes(parents, (uint32_t)i, parents[p * nodes + i]);
  uint32_t *node_of = hr_postings_entries(postings);
  int64_t *first = hr_alloc(nodes, sizeof *first); /* id of each group */
  if (!node_of || !first) {
    free(node_of);
    free(first);
    return HR_NO_MEMORY;
  }
  for (size_t i = 0; i < nodes; i++) first[i] = INT64_MAX;
  for (size_t row = rows; row-- > 0;)
    if (hr_segment_is_live(&postings->rows, row))
      first[root_of(parents, node_of[row])] = hr_segment_id(&postings->rows, row);
  for (size_t row = 0; row < rows; row++) {
    if (!hr_segment_is_live(&postings->rows, row)) continue;
    *ids++ = hr_segment_id(&postings->rows, row);
    *groups++ = first[root_of(parents, node_of[row])];
  }
  free(node_of);
  free(first);
  return HR_OK;
}
