/* Which buckets of each table a query looks at. */
#ifndef HR_KEYS_H
#define HR_KEYS_H

#include "hashret.h"

/* Table t owns bits [t * width, (t + 1) * width), where width is bits / tables. */
typedef struct {
  uint32_t bits, tables;
  uint32_t probes;      /* buckets to look at in each table */
  const float *margins; /* a float a bit of each query, or NULL */
} hr_lsh_options;

typedef struct {
  uint64_t *keys; /* tables * count, the most promising of a table first */
  uint32_t tables, width, count;
} hr_keys;

/* The most promising keys of each table: the query's own, then those that flip the bits of least
 * total squared margin, or without margins the fewest bits. Lv et al., "Multi-probe LSH", VLDB
 * 2007, section 4.4. `margins`: of this query. */
hr_status hr_keys_open(const hr_lsh_options *options, const uint64_t *query, const float *margins,
                       hr_keys *keys);
void hr_keys_close(hr_keys *keys);

#endif
