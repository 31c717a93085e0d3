/* What scans of strips need beside kernels. */
#include "kernels/strips.h"

#include <string.h>

#include "base/bitstring.h"

void hr_strips_near(const uint64_t *query, size_t words, uint8_t *near) {
  uint8_t counts[16];
  for (uint64_t nibble = 0; nibble < 16; nibble++) counts[nibble] = (uint8_t)hr_popcount(nibble);
  for (size_t n = 0; n < words * 16; n++, near += 16) {
    uint64_t own = query[n / 16] >> n % 16 * 4 & 15;
    for (uint64_t other = 0; other < 16; other++) near[other] = counts[own ^ other];
  }
}

uint64_t hr_strip_rows(const hr_pass *pass) {
  size_t blocks = pass->end - pass->block;
  uint64_t rows = blocks < HR_STRIP_BLOCKS ? ((uint64_t)1 << blocks * HR_LANES) - 1 : ~(uint64_t)0;
  if (!pass->allow) return rows;
  for (size_t b = 0; b < HR_STRIP_BLOCKS && b < blocks; b++) {
    uint64_t barred = (uint8_t)~pass->allow[pass->block + b];
    rows &= ~(barred << b * HR_LANES);
  }
  return rows;
}
