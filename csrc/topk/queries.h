/* Queries that are asked together, all for the same. */
#ifndef HR_QUERIES_H
#define HR_QUERIES_H

#include "hashret.h"

typedef struct {
  const uint64_t *words; /* one query after the other */
  size_t count, width;   /* words of each */
  size_t k;              /* the k nearest of those within the radius; SIZE_MAX: all of them */
  uint32_t radius;
  const int *cancel; /* polled, or NULL */
  hr_work *work;     /* what is done for them is added to this */
} hr_queries;

static inline const uint64_t *hr_query(const hr_queries *queries, size_t q) {
  return queries->words + q * queries->width;
}

/* `count` of them, from the q-th on. */
static inline hr_queries hr_queries_part(const hr_queries *queries, size_t q, size_t count) {
  hr_queries part = *queries;
  part.words = hr_query(queries, q);
  part.count = count;
  return part;
}

#endif
