/* A flag by which another thread ends long work. */
#ifndef HR_CANCEL_H
#define HR_CANCEL_H

#include <stdbool.h>
#include <stddef.h>

/* Long loops look at the flag once in so many steps. */
#define HR_POLL ((size_t)1 << 16)

/* Whether the flag is set; NULL: never. */
bool hr_cancelled(const int *cancel);

#endif
