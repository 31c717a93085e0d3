/* Scanning strips by AVX2. */
#ifndef HR_STRIPS_AVX2_H
#define HR_STRIPS_AVX2_H

#include "kernels/kernels.h"

#ifdef HR_X86
/* As hr_kernels says. */
void hr_avx2_to_strips(const uint64_t *blocks, size_t words, size_t count, uint8_t *strips);
size_t hr_avx2_scan_strips(hr_pass *pass, hr_hit *hits);
#endif

#endif
