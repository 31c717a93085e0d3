/* Binary search. */
#ifndef HR_BISECT_H
#define HR_BISECT_H

#include <stddef.h>

/* Moves `low` to the first of the items [low, high) of which `before` does not hold, or to `high`.
 * `before` is an expression in `item`; the items of which it holds come first. */
#define HR_BISECT(low, high, item, before)    \
  for (size_t end_ = (high); (low) < end_;) { \
    size_t item = (low) + (end_ - (low)) / 2; \
    if (before)                               \
      (low) = item + 1;                       \
    else                                      \
      end_ = item;                            \
  }

#endif
