/* Codes once more, by byte: of HR_STRIP rows each, byte p of all stands side by side.
 *
 * Then a register holds a byte of many codes, whose distances are summed side by side, and one
 * comparison tells whether any of them is near. How far a byte lies from a query's is looked up by
 * nibbles, in tables that are the query's own: the trick of scans of product quantization (Andre,
 * Kermarrec and Le Scouarnec 2015), with sums that are exact. Where a register's bits can be
 * counted by byte that is shorter still. Strips are made of a tile for a batch, and thrown away.
 */
#ifndef HR_STRIPS_H
#define HR_STRIPS_H

#include "kernels/kernels.h"

/* Bytes of a query's tables: for each nibble its distance to the 16 there are. */
#define HR_NEAR_BYTE (2 * 16) /* of a byte */
#define HR_NEAR_BYTES(words) ((words) * sizeof(uint64_t) * HR_NEAR_BYTE)

static inline size_t hr_strip_count(size_t blocks) {
  return (blocks + HR_STRIP_BLOCKS - 1) / HR_STRIP_BLOCKS;
}

/* The rows of the strip at hand that may be hits: those of the pass, and of them what is allowed.
 */
uint64_t hr_strip_rows(const hr_pass *pass);

/* The tables of a query: of byte p those of its low and high nibble, at 32 p. */
void hr_strips_near(const uint64_t *query, size_t words, uint8_t *near);

#endif
