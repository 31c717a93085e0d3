/* Setting and reading a flag from different threads. */
#include "base/cancel.h"

#include "hashret.h"

void hr_cancel(int *flag) {
#if defined(_MSC_VER) && !defined(__clang__)
  *(volatile int *)flag = 1;
#else
  __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
#endif
}

bool hr_cancelled(const int *cancel) {
#if defined(_MSC_VER) && !defined(__clang__)
  return cancel && *(const volatile int *)cancel;
#else
  return cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED);
#endif
}
