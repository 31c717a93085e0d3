/* Distances without an index.
 *
 * Codes are laid out in tiles of blocks, which all queries pass over while the
 * tile is in L1 or L2; 64-bit codes have the layout already. A distance to one of
 * 64 bits takes 0.12 ns where a query has its row of the matrix in cache, most
 * of it the writing; laying out a code takes 1 ns a word.
 */
#include "base/histogram.h"
#include "base/memory.h"
#include "hashret.h"
#include "kernels/dispatch.h"
#include "storage/blocks.h"

#define TILE ((size_t)4096) /* rows */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE_ENDIAN_WORDS false
#else
#define LITTLE_ENDIAN_WORDS true
#endif

/* Codes of one word each lie as blocks do: eight in a row are a block. */
static bool are_blocks(const uint8_t *codes, size_t count, uint32_t bits) {
  return LITTLE_ENDIAN_WORDS && bits == 64 && count % HR_LANES == 0 &&
         (uintptr_t)codes % sizeof(uint64_t) == 0;
}

/* The blocks of `count` codes: their own memory, or a copy in `room`. */
static const uint64_t *tile_of(const uint8_t *codes, size_t count, uint32_t bits, uint64_t *room) {
  if (are_blocks(codes, count, bits)) return (const uint64_t *)(const void *)codes;
  hr_blocks_fill(room, bits, 0, codes, count);
  return room;
}

/* Consumes the tiles of codes [start, start + count), for all queries. */
typedef struct {
  const hr_pairs *pairs;
  uint64_t *queries; /* their words */
  uint64_t *room;    /* for the blocks of a tile */
  uint16_t *tile;    /* for its distances */
  uint32_t *counts;  /* of histogram.h, all zero */
} pass;

static void write_distances(const pass *p, const uint64_t *blocks, size_t start, size_t count,
                            uint16_t *out) {
  size_t words = (p->pairs->bits + 63) / 64, whole = count / HR_LANES, rest = count % HR_LANES;
  for (size_t q = 0; q < p->pairs->query_count; q++) {
    const uint64_t *query = p->queries + q * words;
    uint16_t *to = out + q * p->pairs->n + start;
    hr_active_kernels()->distances(blocks, words, whole, query, to);
    if (!rest) continue;
    hr_active_kernels()->distances(blocks + whole * words * HR_LANES, words, 1, query, p->tile);
    memcpy(to + whole * HR_LANES, p->tile, rest * sizeof *to);
  }
}

static void add_counts(uint32_t *counts, uint32_t bits, int64_t *out) {
  for (size_t d = 0; d <= bits; d++) out[d] += (int64_t)hr_counted(counts, d);
  memset(counts, 0, ((size_t)bits + 1) * HR_COUNTERS * sizeof *counts);
}

static void count_distances(const pass *p, const uint64_t *blocks, size_t count, int64_t *out) {
  uint32_t bits = p->pairs->bits;
  size_t words = (bits + 63) / 64;
  for (size_t q = 0; q < p->pairs->query_count; q++) {
    hr_active_kernels()->distances(blocks, words, hr_block_count(count), p->queries + q * words,
                                   p->tile);
    hr_count(p->tile, count, p->counts);
    add_counts(p->counts, bits, out + q * ((size_t)bits + 1));
  }
}

static bool open_pass(pass *p, const hr_pairs *pairs) {
  size_t words = (pairs->bits + 63) / 64, bytes = (pairs->bits + 7) / 8;
  *p = (pass){.pairs = pairs,
              .queries = hr_alloc(pairs->query_count * words, sizeof *p->queries),
              .room = hr_blocks_alloc(TILE, words),
              .tile = hr_alloc(TILE, sizeof *p->tile),
              .counts = hr_alloc_zero((size_t)pairs->bits + 1, HR_COUNTERS * sizeof *p->counts)};
  if (!p->queries || !p->room || !p->tile || !p->counts) return false;
  for (size_t q = 0; q < pairs->query_count; q++)
    hr_words_load(pairs->queries + q * bytes, pairs->bits, p->queries + q * words);
  return true;
}

static void close_pass(pass *p) {
  free(p->queries);
  hr_free_aligned(p->room);
  free(p->tile);
  free(p->counts);
}

/* Takes the tiles of all codes to distances, or else to a histogram. */
static hr_status over_tiles(const hr_pairs *pairs, uint16_t *distances, int64_t *histogram) {
  size_t n = pairs->n, bytes = (pairs->bits + 7) / 8;
  pass p;
  hr_status status = open_pass(&p, pairs) ? HR_OK : HR_NO_MEMORY;
  for (size_t start = 0; !status && start < n; start += TILE) {
    size_t count = n - start < TILE ? n - start : TILE;
    const uint64_t *blocks = tile_of(pairs->codes + start * bytes, count, pairs->bits, p.room);
    if (distances)
      write_distances(&p, blocks, start, count, distances);
    else
      count_distances(&p, blocks, count, histogram);
  }
  close_pass(&p);
  return status;
}

hr_status hr_distances(const hr_pairs *pairs, uint16_t *out) {
  return over_tiles(pairs, out, NULL);
}

hr_status hr_histogram(const hr_pairs *pairs, int64_t *out) {
  memset(out, 0, pairs->query_count * ((size_t)pairs->bits + 1) * sizeof *out);
  return over_tiles(pairs, NULL, out);
}
