/* What the processor and the operating system support. */
#ifndef HR_CPU_H
#define HR_CPU_H

#include <stdbool.h>

bool hr_cpu_has_avx2(void);
bool hr_cpu_has_avx512(void);

#endif
