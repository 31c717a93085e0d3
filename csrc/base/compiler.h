/* What compilers spell differently. HR_LOAD, HR_STORE and HR_ADD, of an int that threads share,
 * order nothing else; HR_TAKE is true for the one that first sets a flag. Who sees a pointer that
 * was published sees what it points to. */
#ifndef HR_COMPILER_H
#define HR_COMPILER_H

#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define HR_TARGET(features)
#define HR_INLINE static __forceinline
#define HR_UNLIKELY(condition) (condition)
#define HR_PREFETCH(address) ((void)(address))
#define HR_LOAD(address) (*(const volatile long *)(address))
#define HR_STORE(address, value) (*(volatile long *)(address) = (value))
#define HR_ADD(address, value) _InterlockedExchangeAdd((volatile long *)(address), value)
#define HR_TAKE(address) (!_InterlockedExchange((volatile long *)(address), 1))
#define HR_PUBLISH(address, value) \
  ((void)_InterlockedExchangePointer((void *volatile *)(address), value))
#define HR_SEE(address) (*(void *const volatile *)(address))
#else
#define HR_TARGET(features) __attribute__((target(features)))
#define HR_INLINE static inline __attribute__((always_inline))
#define HR_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define HR_PREFETCH(address) __builtin_prefetch(address)
#define HR_LOAD(address) __atomic_load_n(address, __ATOMIC_RELAXED)
#define HR_STORE(address, value) __atomic_store_n(address, value, __ATOMIC_RELAXED)
#define HR_ADD(address, value) __atomic_add_fetch(address, value, __ATOMIC_RELAXED)
#define HR_TAKE(address) (!__atomic_exchange_n(address, 1, __ATOMIC_RELAXED))
#define HR_PUBLISH(address, value) __atomic_store_n(address, value, __ATOMIC_RELEASE)
#define HR_SEE(address) __atomic_load_n(address, __ATOMIC_ACQUIRE)
#endif

/* For loops that the compiler makes wider by itself: a second copy for AVX2, chosen at the start
 * by a linker that can. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define HR_CLONED __attribute__((target_clones("avx2", "default")))
#else
#define HR_CLONED
#endif

#endif
