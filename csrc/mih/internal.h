/* What the files of this folder share: the tables, and one query on its way through them. */
#ifndef HR_MIH_INTERNAL_H
#define HR_MIH_INTERNAL_H

#include "mih/mih.h"

/* A table owns a substring and is addressed by the first bits of it. */
typedef struct {
  uint32_t start, width, prefix;
  uint32_t *directory; /* 2^prefix + 1 offsets */
  uint32_t *sketches;  /* `sketch_words` an entry; NULL: the sorted codes */
} hr_mih_table;

/* The first bytes of the tables in a file. */
typedef struct {
  uint32_t tables, sketch_words;
  uint32_t prefix[HR_MIH_MAX_TABLES];
  uint32_t reserved[6];
} hr_mih_shape;

_Static_assert(sizeof(hr_mih_shape) == 64, "the shape has no padding");

struct hr_mih {
  const hr_postings *sorted;
  uint32_t tables, sketch_words;
  hr_mih_table table[HR_MIH_MAX_TABLES];
  hr_mih_shape shape;
  hr_history *habits;
  bool borrowed; /* directories and sketches belong to a file's bytes */
};

static inline uint32_t hr_mih_key(const hr_mih_table *t, const uint64_t *words, size_t stride) {
  return (uint32_t)hr_substring(words, stride, t->start, t->prefix);
}

/* The first 32 * n bits that lie outside of the table's prefix; zeros past the last. */
void hr_mih_sketch(const hr_mih_table *t, uint32_t bits, const uint64_t *words, size_t stride,
                   uint32_t n, uint32_t *out);

/* The distance where random codes have their tenth neighbour. */
uint32_t hr_mih_usual_radius(uint32_t bits, size_t entries);

static inline double hr_binomial(uint32_t n, uint32_t k) {
  double value = 1;
  for (uint32_t i = 1; i <= k; i++) value = value * (n - k + i) / i;
  return value;
}

typedef struct {
  uint32_t key, from, to;
} hr_bucket;

/* A candidate whose sketch is near enough, to be looked up among the sorted codes. */
typedef struct {
  uint32_t distance; /* the code's is not less */
  uint32_t key, at;  /* its bucket, and its place in the table */
} hr_candidate;

/* Survivors are looked up together, the nearest first: most of the others are out by then. */
#define HR_PENDING 1024

typedef struct {
  const hr_mih *mih;
  const uint64_t *query;
  const uint8_t *allow;
  const int *cancel;
  hr_collector *top;
  hr_mih_work *work;
  uint32_t keys[HR_MIH_MAX_TABLES];
  uint32_t rings[HR_MIH_MAX_TABLES]; /* rings 0 .. rings[t] - 1 of table t are done */
  double length[HR_MIH_MAX_TABLES]; /* mean codes a bucket of the latest ring, at first of ring 0 */
  uint32_t *sketches;               /* of the query, for each table */
  hr_candidate pending[HR_PENDING], nearest_first[HR_PENDING];
  size_t pendings, enough; /* that many are looked up at once */
  uint32_t shortened;      /* buckets are cut to one part in 2^shortened; for measuring */
  double promised;         /* the walk pays as long as it has cost no more; nanoseconds */
} hr_walk;

/* --- survivors.c: candidates whose sketch is near enough --- */

/* Whether no ring that is done has shown this code, HR_LANES apart. */
bool hr_walk_first_seen(const hr_walk *w, const uint64_t *code);
/* Takes the survivors of a bucket of table `number`, in ring `ring`. False when out of memory. */
bool hr_walk_visit_sketches(hr_walk *w, uint32_t number, hr_bucket b, uint32_t ring);
/* Looks up those that wait. False when out of memory. */
bool hr_walk_settle(hr_walk *w, uint32_t number);

/* --- order.c: which ring is next, and whether to go on --- */

/* The table whose next ring is the cheapest, and its cost. */
uint32_t hr_walk_cheapest(const hr_walk *w, const hr_costs *costs, const uint32_t *rings,
                          double *cost);
/* Whether all codes within `limit` were seen: a table that is walked through shows all. */
bool hr_walk_complete(const hr_walk *w, const uint32_t *rings, uint32_t limit);
/* Whether going on, with a ring that costs `next`, is worth it beside a scan. */
bool hr_walk_pays(hr_walk *w, const hr_budget *patience, double next);
/* What was done so far takes so many nanoseconds. */
double hr_walk_spent(const hr_walk *w, const hr_costs *costs);

static inline size_t hr_least(size_t value, size_t most) { return value < most ? value : most; }

#endif
