/* A list of kernels in order of preference, and the one in use. */
#include "kernels/dispatch.h"

#include <string.h>

#include "hashret.h"
#include "kernels/cpu.h"

typedef struct {
  const hr_kernels *kernels;
  bool (*runs)(void);
} candidate;

static bool always(void) { return true; }

static const candidate candidates[] = {
#ifdef HR_X86
    {&hr_kernels_avx512, hr_cpu_has_avx512},
    {&hr_kernels_avx2, hr_cpu_has_avx2},
#endif
#ifdef HR_ARM64
    {&hr_kernels_neon, always}, /* part of the base architecture */
#endif
    {&hr_kernels_scalar, always},
};
#define CANDIDATES (sizeof candidates / sizeof *candidates)

static const hr_kernels *active = &hr_kernels_scalar;

const hr_kernels *hr_active_kernels(void) { return active; }

hr_status hr_isa_select(const char *name) {
  for (size_t i = 0; i < CANDIDATES; i++) {
    const hr_kernels *kernels = candidates[i].kernels;
    if ((!name || strcmp(name, kernels->name) == 0) && candidates[i].runs()) {
      active = kernels;
      return HR_OK;
    }
  }
  return HR_BAD_ISA;
}

const char *hr_isa_name(void) { return active->name; }

const char *hr_isa_supported(size_t i) {
  for (size_t c = 0; c < CANDIDATES; c++)
    if (candidates[c].runs() && i-- == 0) return candidates[c].kernels->name;
  return NULL;
}
