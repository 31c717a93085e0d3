/* Tables of what queries are near. */
#include "kernels/strips.h"

#include "base/bitstring.h"

void hr_strips_near(const uint64_t *query, size_t words, uint8_t *near) {
  uint8_t counts[16];
  for (uint64_t nibble = 0; nibble < 16; nibble++) counts[nibble] = (uint8_t)hr_popcount(nibble);
  for (size_t n = 0; n < words * 16; n++, near += 16) {
    uint64_t own = query[n / 16] >> n % 16 * 4 & 15;
    for (uint64_t other = 0; other < 16; other++) near[other] = counts[own ^ other];
  }
}
