/* What compilers spell differently. */
#ifndef HR_COMPILER_H
#define HR_COMPILER_H

#if defined(_MSC_VER) && !defined(__clang__)
#define HR_TARGET(features)
#define HR_INLINE static __forceinline
#define HR_UNLIKELY(condition) (condition)
#define HR_PREFETCH(address) ((void)(address))
#else
#define HR_TARGET(features) __attribute__((target(features)))
#define HR_INLINE static inline __attribute__((always_inline))
#define HR_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define HR_PREFETCH(address) __builtin_prefetch(address)
#endif

#endif
