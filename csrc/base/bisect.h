/* Binary search. */
#ifndef HR_BISECT_H
#define HR_BISECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Whether item i lies before what is sought. */
typedef bool hr_lies_before(const void *sought, size_t i);

/* The first of items [low, high) that does not lie before what is sought; `high` if all do. Those
 * that do must come first. */
HR_INLINE size_t hr_bisect(size_t low, size_t high, hr_lies_before *before, const void *sought) {
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (before(sought, middle))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

#endif
