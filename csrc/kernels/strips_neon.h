/* Scanning strips by NEON. */
#ifndef HR_STRIPS_NEON_H
#define HR_STRIPS_NEON_H

#include "kernels/kernels.h"

#ifdef HR_ARM64
/* As hr_kernels says. */
void hr_neon_to_strips(const uint64_t *blocks, size_t words, size_t count, uint8_t *strips);
size_t hr_neon_scan_strips(hr_pass *pass, hr_hit *hits);
#endif

#endif
