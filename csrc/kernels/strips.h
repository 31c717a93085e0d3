/* Codes once more, by byte: of HR_STRIP rows each, byte p of all stands side by side.
 *
 * Then a query's distance to a byte of 32 codes is two look-ups of nibbles in tables that are the
 * query's own, and one comparison tells whether any of them is near: the trick of scans of product
 * quantization (Andre, Kermarrec and Le Scouarnec 2015), with sums that are exact. Strips are made
 * of a tile for a batch, and thrown away.
 */
#ifndef HR_STRIPS_H
#define HR_STRIPS_H

#include "kernels/kernels.h"

/* Bytes of a query's tables: for each nibble its distance to the 16 there are. */
#define HR_NEAR_BYTES(words) ((words) * sizeof(uint64_t) * 2 * 16)

static inline size_t hr_strip_count(size_t blocks) {
  return (blocks + HR_STRIP_BLOCKS - 1) / HR_STRIP_BLOCKS;
}

/* The tables of a query: of byte p those of its low and high nibble, at 32 p. */
void hr_strips_near(const uint64_t *query, size_t words, uint8_t *near);

#endif
