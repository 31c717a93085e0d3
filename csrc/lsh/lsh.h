/* Bucketed multi-table lookup: table t owns bits [t * width, (t + 1) * width). */
#ifndef HR_LSH_H
#define HR_LSH_H

#include "scan/scan.h"
#include "storage/segment.h"

typedef struct hr_lsh hr_lsh;

/* Tables over the first rows->count rows, dead ones included. */
hr_status hr_lsh_build(const hr_segment *rows, uint32_t tables, const int *cancel, hr_lsh **out);
void hr_lsh_free(hr_lsh *lsh);
/* Rows the tables know; later ones are compared with every probe. */
size_t hr_lsh_count(const hr_lsh *lsh);
size_t hr_lsh_bytes(const hr_lsh *lsh);

/* Which buckets of each table a query looks at. */
typedef struct {
  uint64_t *keys; /* tables * count, the most promising of a table first */
  uint32_t tables, width, count;
} hr_probes;

/* The `count` most promising keys of each table: the query's own, then those
 * that flip the bits of least total squared margin, or without margins the
 * fewest bits. Lv et al., "Multi-probe LSH", VLDB 2007, section 4.4. */
hr_status hr_probes_open(uint32_t bits, uint32_t tables, uint32_t count, const uint64_t *query,
                         const float *margins, hr_probes *probes);
void hr_probes_close(hr_probes *probes);

/* Collects the rows, ascending and once each, that share a probed bucket with
 * the query; sorts the keys if it needs to. `lsh` may be NULL: then every row is
 * compared. */
hr_status hr_lsh_candidates(const hr_lsh *lsh, const hr_segment *rows, hr_probes *probes,
                            uint32_t **out, size_t *count);

#endif
