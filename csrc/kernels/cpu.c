/* CPUID says what the processor can do, XCR0 which registers the system saves. */
#include "kernels/cpu.h"

#include "kernels/kernels.h"

#ifdef HR_X86
#include <stdint.h>
#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif

typedef struct {
  uint32_t eax, ebx, ecx, edx;
} registers;

static registers cpuid(uint32_t leaf) {
  registers r = {0, 0, 0, 0};
#ifdef _MSC_VER
  int out[4];
  __cpuidex(out, 0, 0);
  if ((uint32_t)out[0] < leaf) return r;
  __cpuidex(out, (int)leaf, 0);
  r = (registers){(uint32_t)out[0], (uint32_t)out[1], (uint32_t)out[2], (uint32_t)out[3]};
#else
  if (__get_cpuid_max(0, 0) >= leaf) __cpuid_count(leaf, 0, r.eax, r.ebx, r.ecx, r.edx);
#endif
  return r;
}

static uint64_t saved_registers(void) {
  const uint32_t osxsave = 1u << 27;
  if (!(cpuid(1).ecx & osxsave)) return 0;
#ifdef _MSC_VER
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
#endif
}

static bool has(uint64_t value, uint64_t needed) { return (value & needed) == needed; }

bool hr_cpu_has_avx2(void) {
  const uint64_t xmm_ymm = 0x6;
  const uint32_t popcnt = 1u << 23, avx2 = 1u << 5;
  return has(saved_registers(), xmm_ymm) && has(cpuid(1).ecx, popcnt) && has(cpuid(7).ebx, avx2);
}

bool hr_cpu_has_avx512(void) {
  const uint64_t xmm_ymm_opmask_zmm = 0xE6;
  const uint32_t f = 1u << 16, bw = 1u << 30, vl = 1u << 31, vpopcntdq = 1u << 14;
  return hr_cpu_has_avx2() && has(saved_registers(), xmm_ymm_opmask_zmm) &&
         has(cpuid(7).ebx, (uint64_t)f | bw | vl) && has(cpuid(7).ecx, vpopcntdq);
}
#else
bool hr_cpu_has_avx2(void) { return false; }
bool hr_cpu_has_avx512(void) { return false; }
#endif
