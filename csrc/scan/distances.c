/* Distances without an index.
 *
 * Codes are laid out in tiles of blocks, which all queries pass over while the
 * tile is in L1 or L2; 64-bit codes have the layout already. A distance to one of
 * 64 bits takes 0.12 ns where a query has its row of the matrix in cache, most
 * of it the writing; laying out a code takes 1 ns a word.
 */
#include "base/histogram.h"
#include "base/memory.h"
#include "kernels/dispatch.h"
#include "storage/segment.h"

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
  const uint64_t *queries; /* words each */
  size_t query_count, n;
  uint32_t bits;
  uint16_t *near;   /* room for the distances of a tile */
  uint32_t *counts; /* of count.h, all zero */
} pass;

static void write_distances(const pass *p, const uint64_t *blocks, size_t start, size_t count,
                            uint16_t *out) {
  size_t words = (p->bits + 63) / 64, whole = count / HR_LANES, rest = count % HR_LANES;
  for (size_t q = 0; q < p->query_count; q++) {
    const uint64_t *query = p->queries + q * words;
    uint16_t *to = out + q * p->n + start;
    hr_active_kernels()->distances(blocks, words, whole, query, to);
    if (!rest) continue;
    hr_active_kernels()->distances(blocks + whole * words * HR_LANES, words, 1, query, p->near);
    memcpy(to + whole * HR_LANES, p->near, rest * sizeof *to);
  }
}

static void add_counts(uint32_t *counts, uint32_t bits, int64_t *out) {
  for (size_t d = 0; d <= bits; d++) out[d] += (int64_t)hr_counted(counts, d);
  memset(counts, 0, ((size_t)bits + 1) * HR_COUNTERS * sizeof *counts);
}

static void count_distances(const pass *p, const uint64_t *blocks, size_t count, int64_t *out) {
  size_t words = (p->bits + 63) / 64, all = (count + HR_LANES - 1) / HR_LANES;
  for (size_t q = 0; q < p->query_count; q++) {
    hr_active_kernels()->distances(blocks, words, all, p->queries + q * words, p->near);
    hr_count(p->near, count, p->counts);
    add_counts(p->counts, p->bits, out + q * ((size_t)p->bits + 1));
  }
}

/* Takes the tiles of all codes to distances, or else to a histogram. */
static hr_status over_tiles(const uint8_t *queries, size_t query_count, const uint8_t *codes,
                            size_t n, uint32_t bits, uint16_t *distances, int64_t *histogram) {
  size_t words = (bits + 63) / 64, bytes = (bits + 7) / 8;
  uint64_t *room = hr_alloc_aligned(TILE * words * sizeof *room);
  uint64_t *loaded = hr_alloc(query_count * words, sizeof *loaded);
  uint16_t *near = hr_alloc(TILE, sizeof *near);
  uint32_t *counts = hr_alloc_zero((size_t)bits + 1, HR_COUNTERS * sizeof *counts);
  bool ok = room && loaded && near && counts;
  for (size_t q = 0; ok && q < query_count; q++)
    hr_words_load(queries + q * bytes, bits, loaded + q * words);
  pass p = {loaded, query_count, n, bits, near, counts};
  for (size_t start = 0; ok && start < n; start += TILE) {
    size_t count = n - start < TILE ? n - start : TILE;
    const uint64_t *blocks = tile_of(codes + start * bytes, count, bits, room);
    if (distances)
      write_distances(&p, blocks, start, count, distances);
    else
      count_distances(&p, blocks, count, histogram);
  }
  hr_free_aligned(room);
  free(loaded);
  free(near);
  free(counts);
  return ok ? HR_OK : HR_NO_MEMORY;
}

hr_status hr_distances(const uint8_t *queries, size_t query_count, const uint8_t *codes, size_t n,
                       uint32_t bits, uint16_t *out) {
  return over_tiles(queries, query_count, codes, n, bits, out, NULL);
}

hr_status hr_histogram(const uint8_t *queries, size_t query_count, const uint8_t *codes, size_t n,
                       uint32_t bits, int64_t *out) {
  memset(out, 0, query_count * ((size_t)bits + 1) * sizeof *out);
  return over_tiles(queries, query_count, codes, n, bits, NULL, out);
}
