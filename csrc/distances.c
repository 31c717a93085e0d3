/* Distances without an index. */
#include "dispatch.h"
#include "memory.h"
#include "rows.h"

/* Runs `row` for each query over tiles of codes laid out in blocks. */
static hr_status over_tiles(const uint8_t *queries, size_t query_count, const uint8_t *codes,
                            size_t n, uint32_t bits, uint16_t *distances, int64_t *histogram) {
  enum { TILE = 4096 };
  size_t words = (bits + 63) / 64, bytes = (bits + 7) / 8;
  hr_rows tile;
  hr_rows_init(&tile, bits);
  tile.blocks = hr_alloc_aligned(TILE * words * sizeof(uint64_t));
  uint16_t *near = hr_alloc(TILE, sizeof *near);
  bool ok = tile.blocks && near;
  for (size_t start = 0; ok && start < n; start += TILE) {
    size_t count = n - start < TILE ? n - start : TILE;
    for (size_t i = 0; i < count; i++) hr_rows_set_code(&tile, i, codes + (start + i) * bytes);
    for (size_t q = 0; q < query_count; q++) {
      uint64_t query[HR_MAX_BITS / 64];
      hr_words_load(queries + q * bytes, bits, query);
      hr_active_kernels()->distances(tile.blocks, words, (count + HR_LANES - 1) / HR_LANES, query,
                                     near);
      if (distances) memcpy(distances + q * n + start, near, count * sizeof *near);
      if (histogram)
        for (size_t i = 0; i < count; i++) histogram[q * ((size_t)bits + 1) + near[i]]++;
    }
  }
  hr_free_aligned(tile.blocks);
  free(near);
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
