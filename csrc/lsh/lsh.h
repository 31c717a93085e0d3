/* Bucketed multi-table lookup: table t owns bits [t * width, (t + 1) * width). */
#ifndef HR_LSH_H
#define HR_LSH_H

#include "lsh/keys.h"
#include "scan/scan.h"

typedef struct hr_lsh hr_lsh;

/* Tables over the first rows->count rows, tombstones included. */
hr_status hr_lsh_build(const hr_segment *rows, uint32_t tables, const int *cancel, hr_lsh **out);
void hr_lsh_free(hr_lsh *lsh);
/* Rows the tables know; later ones are compared with every probe. */
size_t hr_lsh_count(const hr_lsh *lsh);
size_t hr_lsh_bytes(const hr_lsh *lsh);

/* Offers the rows of the source that share a bucket with a query to its collector. `lsh` may be
 * NULL: then every row is compared with the keys. */
hr_status hr_lsh_search(const hr_lsh *lsh, const hr_source *source, const hr_lsh_options *options,
                        const hr_queries *queries, hr_collector *collectors);

#endif
