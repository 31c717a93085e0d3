/* Tiles of codes against groups of queries.
 *
 * What is found among sorted codes is an entry, whose row number is a far read that is spared where
 * the codes are kept by row too.
 */
#include "scan/scan.h"

#include <assert.h>

#include "base/bisect.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/memory.h"
#include "kernels/dispatch.h"
#include "kernels/strips.h"
#include "scan/heads.h"
#include "storage/blocks.h"
#include "topk/threshold.h"

/* A tile stays in L2 while all queries of a batch pass over it. */
#define TILE_BYTES ((size_t)256 << 10)

hr_source hr_source_of_segment(const hr_segment *segment, const uint8_t *allow) {
  return (hr_source){.blocks = segment->blocks,
                     .words = segment->words,
                     .count = segment->count,
                     .end = hr_block_count(segment->count),
                     .allow = allow};
}

hr_source hr_source_of_subset(const hr_subset *subset, size_t words) {
  return (hr_source){.blocks = subset->blocks,
                     .words = words,
                     .count = subset->count,
                     .end = hr_block_count(subset->count),
                     .rows = subset->rows,
                     .unit = subset->shared ? HR_FEW_ENTRIES : HR_ROWS,
                     .postings = subset->shared};
}

hr_source hr_source_of_postings(const hr_postings *postings, const uint8_t *allow, hr_unit unit) {
  bool by_row = unit == HR_ROWS && postings->by_row;
  return (hr_source){.blocks = by_row ? postings->by_row : postings->blocks,
                     .words = postings->words,
                     .count = postings->entries,
                     .end = hr_block_count(postings->entries),
                     .allow = allow,
                     .unit = by_row ? HR_ROWS : HR_ENTRIES,
                     .postings = by_row ? NULL : postings};
}

void hr_source_divide(hr_source *source, size_t part, size_t parts) {
  size_t blocks = source->end - source->first, rest = blocks % parts;
  source->first += blocks / parts * part + (part < rest ? part : rest);
  source->end = source->first + blocks / parts + (part < rest);
}

/* At most HR_GROUP queries, which pass over blocks [first, end) together. */
typedef struct {
  const hr_source *source;
  const hr_queries *queries;
  hr_collector *const *collectors;
  size_t first, end;
  const uint8_t *strips; /* of these blocks, or NULL */
  hr_heads *heads;       /* of these queries, or NULL: codes are compared whole */
} group;

/* Strips are made for at least so many queries, of codes of so many words. */
#define STRIP_QUERIES 16
#define STRIP_WORDS 8

/* Lone queries take the one-query kernel, two to four the grouped one. */
static hr_pass open_pass(const group *g) {
  const hr_source *s = g->source;
  size_t used = g->queries->count;
  hr_pass pass = {.blocks = s->blocks,
                  .words = s->words,
                  .block = g->first,
                  .queries = used == 1 ? 1 : HR_GROUP,
                  .allow = s->postings ? NULL : s->allow};
  for (size_t q = 0; q < HR_GROUP; q++) pass.query[q] = hr_query(g->queries, q < used ? q : 0);
  return pass;
}

/* Codes that hold as many rows as are asked for, if they have as many as most. */
static size_t codes_of(const hr_source *s, size_t k) {
  if (!s->postings) return k;
  size_t entries = s->postings->entries;
  size_t rows = s->unit == HR_FEW_ENTRIES ? s->postings->starts[entries] : s->postings->rows.count;
  return k >= rows ? entries : (size_t)((double)k * (double)entries / (double)rows);
}

/* Blocks to look at before limits are renewed. Until k rows are found every row is taken, unless
 * there is a guess; looking at k rows first, then at twice as many each time, takes about
 * k log2(n / k) in all for codes in random order. */
static size_t first_window(const group *g) {
  const hr_collector *one = g->collectors[0];
  size_t blocks = g->end - g->first;
  if (hr_collector_full(one) || hr_collector_guessed(one) || one->size >= one->k) return blocks;
  size_t enough = codes_of(g->source, one->k) / HR_LANES + 1;
  return enough < blocks ? enough : blocks;
}

static bool offer_rows(const group *g, const hr_hit *hits, size_t count) {
  hr_collector *const *collectors = g->collectors;
  const uint32_t *rows = g->source->rows;
  for (size_t i = 0; i < count; i++) {
    hr_hit hit = hits[i];
    if (hit.row >= g->source->count) continue; /* the last block is padded */
    uint32_t row = rows ? rows[hit.row] : hit.row;
    if (!hr_collector_offer_row(collectors[hit.query], hit.distance, row)) return false;
  }
  return true;
}

static bool offer_entries(const group *g, const hr_hit *hits, size_t count) {
  hr_collector *const *collectors = g->collectors;
  const hr_postings *postings = g->source->postings;
  const uint8_t *allow = g->source->allow;
  size_t entries = g->source->count, least = g->source->least;
  bool single = !postings->starts && !allow; /* each hit is one row that may be found */
  for (size_t i = 0; i < count && !single; i++)
    HR_PREFETCH(postings->starts ? &postings->starts[hits[i].row] : &postings->order[hits[i].row]);
  for (size_t i = 0; i < count; i++) {
    hr_hit hit = hits[i];
    hr_collector *c = collectors[hit.query];
    /* The limit may have come down, and the first and last block have others' codes. */
    if (hit.distance > hr_collector_reach(c) || hit.row >= entries || hit.row < least) continue;
    if (!(single ? hr_collector_take(c, hit.distance, hit.row, 1)
                 : hr_collector_offer_entry(c, postings, hit.row, hit.distance, allow)))
      return false;
  }
  return true;
}

/* Lets a pass go over strips. `near` has room for the tables of HR_GROUP queries. */
static void open_strips(const group *g, hr_pass *pass, uint8_t *near) {
  size_t words = g->source->words;
  pass->strips = g->strips;
  pass->first = g->first;
  pass->near = near;
  for (size_t q = 0; q < HR_GROUP; q++)
    hr_strips_near(pass->query[q], words, near + q * HR_NEAR_BYTES(words));
}

/* Where a pass is to end: strips are not cut. */
static size_t pass_end(const group *g, const hr_pass *pass, size_t window) {
  size_t end = pass->block + window;
  if (g->strips)
    end += HR_STRIP_BLOCKS - 1 - (end - g->first + HR_STRIP_BLOCKS - 1) % HR_STRIP_BLOCKS;
  return g->end - pass->block > window && end < g->end ? end : g->end;
}

static size_t scan_pass(const group *g, hr_pass *pass, hr_hit *hits) {
  const hr_kernels *kernels = hr_active_kernels();
  bool strips = pass->strips && (pass->block - pass->first) % HR_STRIP_BLOCKS == 0;
  for (size_t q = 0; q < HR_GROUP; q++) strips &= pass->limit[q] <= HR_STRIP_LIMIT;
  hr_form form = strips ? HR_STRIPS : pass->queries == 1 ? HR_LONE : HR_GROUPED;
  if (g->heads) hr_heads_begin(g->heads, pass, form);
  double began = g->heads && hr_heads_need_time(g->heads) ? hr_now_ns() : 0;
  size_t found = (strips ? kernels->scan_strips : kernels->scan)(pass, hits);
  if (g->heads) hr_heads_end(g->heads, pass, began > 0 ? hr_now_ns() - began : 0);
  return found;
}

static bool scan_group(const group *g) {
  hr_hit hits[HR_HITS];
  uint8_t near[HR_GROUP * HR_NEAR_BYTES(STRIP_WORDS)];
  hr_pass pass = open_pass(g);
  size_t window = first_window(g);
  if (g->strips && pass.queries == HR_GROUP) open_strips(g, &pass, near);
  while (pass.block < g->end) {
    pass.end = pass_end(g, &pass, window);
    for (size_t q = 0; q < g->queries->count; q++)
      pass.limit[q] = hr_collector_bar(g->collectors[q]);
    size_t found = scan_pass(g, &pass, hits);
    if (!(g->source->postings ? offer_entries : offer_rows)(g, hits, found)) return false;
    if (window < g->end - g->first) window *= 2;
  }
  return true;
}

/* Room for the strips of a tile; NULL: none are made, be it for want of memory. */
static uint8_t *alloc_strips(const hr_source *s, const hr_queries *queries, size_t tile) {
  bool pays = hr_active_kernels()->to_strips && s->words <= STRIP_WORDS &&
              queries->count >= STRIP_QUERIES && s->end - s->first >= HR_STRIP_BLOCKS;
  if (!pays) return NULL;
  return hr_alloc_aligned(hr_strip_count(tile) * HR_STRIP * s->words * sizeof(uint64_t));
}

/* Early stopping is for long codes, where there are some; NULL: not here, or no memory. */
#define HEADS_BLOCKS 256

static hr_heads *alloc_heads(const hr_source *s, const hr_queries *queries) {
  if (s->whole || s->words < HR_HEAD_WORDS || s->end - s->first < HEADS_BLOCKS) return NULL;
  hr_heads *heads = hr_alloc_zero((queries->count + HR_GROUP - 1) / HR_GROUP, sizeof *heads);
  if (heads) heads->timed = queries->count == 1;
  return heads;
}

static hr_status scan_tile(const group *tile) {
  const hr_queries *queries = tile->queries;
  for (size_t q = 0; q < queries->count; q += HR_GROUP) {
    size_t left = queries->count - q;
    hr_queries some = hr_queries_part(queries, q, left < HR_GROUP ? left : HR_GROUP);
    group g = *tile;
    g.queries = &some;
    g.collectors += q;
    if (tile->heads) g.heads += q / HR_GROUP;
    if (!scan_group(&g)) return HR_NO_MEMORY;
  }
  return HR_OK;
}

static hr_status scan_tiles(const hr_source *s, const hr_queries *queries,
                            hr_collector *const *collectors) {
  size_t block = hr_block_bytes(1, s->words), tile = TILE_BYTES / block;
  uint8_t *strips = alloc_strips(s, queries, tile);
  hr_heads *made = s->heads ? NULL : alloc_heads(s, queries);
  hr_heads *heads = s->heads ? s->heads : made;
  hr_status status = HR_OK;
  for (size_t start = s->first; !status && start < s->end; start += tile) {
    size_t stop = s->end - start > tile ? start + tile : s->end;
    if (strips)
      hr_active_kernels()->to_strips(s->blocks + start * (block / sizeof *s->blocks), s->words,
                                     stop - start, strips);
    status = hr_cancelled(queries->cancel)
                 ? HR_CANCELLED
                 : scan_tile(&(group){s, queries, collectors, start, stop, strips, heads});
  }
  free(made);
  hr_free_aligned(strips);
  return status;
}

/* --- limits to begin with -------------------------------------------------------------
 *
 * Codes that begin alike stand together: those around the place of a query's own code are
 * near it, and the k-th of them is a limit for all. It is known after a few blocks; without,
 * twice as many entries are taken on the way (threshold.h), at 12 ns each.
 */

/* Fewer blocks are scanned before they are searched. */
#define WORTH_BLOCKS 512
#define FEWEST_AROUND 8 /* blocks around a query's place, and two for each that k rows fill */

static bool look_around(const hr_source *s, const hr_queries *query, hr_collector *collector) {
  size_t blocks = s->end - s->first, filled = codes_of(s, collector->k) / HR_LANES;
  size_t around = filled + FEWEST_AROUND / 2;
  bool pays = blocks >= WORTH_BLOCKS && filled < blocks / WORTH_BLOCKS * FEWEST_AROUND &&
              !collector->size && collector->limit == collector->radius + 1;
  if (!pays) return true;
  size_t own = 0;
  HR_BISECT(own, s->count, entry,
            hr_words_compare(hr_postings_entry(s->postings, entry), query->words, 1, s->words) < 0);
  size_t place = own / HR_LANES;
  size_t from = place > s->first + around ? place - around : s->first;
  size_t to = s->end - from > 2 * around ? from + 2 * around : s->end;
  if (from >= to) return true;
  if (!scan_group(&(group){s, query, &collector, from, to, NULL, NULL})) return false;
  hr_collector_restart(collector, s->unit);
  return true;
}

static void guess_limits(const hr_source *s, const hr_queries *queries,
                         hr_collector *const *collectors) {
  hr_sample sample = {.words = s->words};
  if (hr_sample_open(&sample, s->blocks, s->first, s->end, s->allow))
    for (size_t q = 0; q < queries->count; q++) {
      hr_collector *c = collectors[q];
      c->limit = c->start = hr_sample_threshold(&sample, hr_query(queries, q), c->k, c->radius + 1);
    }
  hr_sample_close(&sample);
}

/* Whether a sample's rows are those that the filter speaks of. */
static bool guess_pays(const hr_source *s, const hr_collector *one) {
  return !one->size && !(s->postings && s->allow) &&
         hr_sample_pays(codes_of(s, one->k), s->end - s->first, s->postings);
}

hr_status hr_scan(const hr_source *s, const hr_queries *queries, hr_collector *const *collectors) {
  if (!queries->count || s->first >= s->end) return HR_OK;
  assert(collectors[0]->unit == s->unit);
  bool guess = guess_pays(s, collectors[0]);
  if (guess) guess_limits(s, queries, collectors);
  for (size_t q = 0; !guess && s->postings && q < queries->count; q++) {
    hr_queries one = hr_queries_part(queries, q, 1);
    if (!look_around(s, &one, collectors[q])) return HR_NO_MEMORY;
  }
  hr_status status = scan_tiles(s, queries, collectors);
  for (size_t q = 0; guess && !status && q < queries->count; q++) {
    if (hr_collector_full(collectors[q]) || !hr_collector_guessed(collectors[q])) continue;
    hr_queries one = hr_queries_part(queries, q, 1);
    hr_collector_reset(collectors[q], collectors[q]->radius); /* too low a guess */
    status = scan_tiles(s, &one, collectors + q);
  }
  return status;
}
