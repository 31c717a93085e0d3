/* Allocation that checks sizes, arrays that grow, and 64-byte alignment for code blocks. */
#ifndef HR_MEMORY_H
#define HR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#endif

#define HR_ALIGNMENT 64
/* From this size on memory lies on pages of its own size if the system has them: looking into
 * a bucket far away then costs one miss less, of the address. */
#define HR_HUGE_PAGE ((size_t)2 << 20)

/* malloc of count * size bytes; NULL on overflow. Never asks for 0 bytes. */
static inline void *hr_alloc(size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return NULL;
  size_t bytes = count * size;
  return malloc(bytes ? bytes : 1);
}

static inline void *hr_alloc_zero(size_t count, size_t size) {
  return calloc(count ? count : 1, size ? size : 1);
}

#define HR_LEAST_CAPACITY ((size_t)64)

/* Room for `needed` items of `size` bytes in the array that `pointer` points to the pointer of.
 * False when out of memory, and the array is as before. */
static inline bool hr_grow(void *pointer, size_t *capacity, size_t needed, size_t size) {
  void *array;
  memcpy(&array, pointer, sizeof array);
  if (array && needed <= *capacity) return true;
  size_t larger = needed + *capacity + HR_LEAST_CAPACITY;
  if (larger < needed || larger > SIZE_MAX / size) return false;
  void *grown = realloc(array, larger * size);
  if (!grown) return false;
  memcpy(pointer, &grown, sizeof grown);
  *capacity = larger;
  return true;
}

static inline void *hr_alloc_aligned(size_t bytes) {
  if (bytes > SIZE_MAX - HR_ALIGNMENT) return NULL;
  size_t rounded = (bytes + HR_ALIGNMENT) / HR_ALIGNMENT * HR_ALIGNMENT;
#ifdef _WIN32
  return _aligned_malloc(rounded, HR_ALIGNMENT);
#elif defined(__linux__)
  if (bytes < 2 * HR_HUGE_PAGE) return aligned_alloc(HR_ALIGNMENT, rounded);
  void *memory = NULL;
  if (posix_memalign(&memory, HR_HUGE_PAGE, rounded)) return NULL;
  (void)madvise(memory, rounded, MADV_HUGEPAGE);
  return memory;
#else
  return aligned_alloc(HR_ALIGNMENT, rounded);
#endif
}

static inline void hr_free_aligned(void *memory) {
#ifdef _WIN32
  _aligned_free(memory);
#else
  free(memory);
#endif
}

#endif
