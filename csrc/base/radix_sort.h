/* Row numbers in ascending order. */
#ifndef HR_RADIX_SORT_H
#define HR_RADIX_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Fewer rows than this are sorted without `spare`. */
#define HR_FEW_ROWS 32

/* `spare` has room for `n` rows too. */
void hr_sort_rows(uint32_t *rows, size_t n, uint32_t *spare);

#endif
