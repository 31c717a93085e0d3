/* What the files of this folder share: the tables, and one query on its way through them. */
#ifndef HR_MIH_INTERNAL_H
#define HR_MIH_INTERNAL_H

#include "base/bitstring.h"
#include "mih/cost.h"
#include "mih/mih.h"
#include "mih/probe.h"

/* A table owns a substring and is addressed by the first bits of it. */
typedef struct {
  uint32_t start, prefix;
  uint32_t *directory; /* 2^prefix + 1 offsets */
  uint32_t *sketches;  /* `sketch_words` an entry, or its number if that is 0; NULL: the sorted
                          codes */
} hr_mih_table;

/* The first bytes of the tables in a file. */
typedef struct {
  uint32_t tables, sketch_words;
  uint32_t prefix[HR_MIH_MAX_TABLES];
} hr_mih_shape;

_Static_assert(sizeof(hr_mih_shape) == 64, "the shape has no padding");

struct hr_mih {
  const hr_postings *postings;
  uint32_t tables, sketch_words;
  hr_mih_table table[HR_MIH_MAX_TABLES];
  hr_mih_shape shape;
  bool borrowed; /* directories and sketches belong to a file's bytes */
};

static inline uint32_t hr_mih_key(const hr_mih_table *t, const uint64_t *words, size_t stride) {
  return (uint32_t)hr_substring(words, stride, t->start, t->prefix);
}

/* What a table's sketches are made of. */
typedef struct {
  uint32_t bits, start, prefix, words;
} hr_sketching;
/* The first bits of a code, `words` times 32, that lie outside of the table's prefix; zeros past
 * the last. */
HR_INLINE void hr_mih_sketch(hr_sketching s, const uint64_t *code, size_t stride, uint32_t *out) {
  for (uint32_t i = 0; i < s.words; i++) {
    uint32_t from = i * 32, left = 32, sketch = 0;
    if (from < s.start) {
      uint32_t take = s.start - from < 32 ? s.start - from : 32;
      sketch = (uint32_t)(hr_substring(code, stride, from, take) << (32 - take));
      left -= take;
      from += take;
    }
    from += s.prefix;
    if (left && from < s.bits) {
      uint32_t take = s.bits - from < left ? s.bits - from : left;
      sketch |= (uint32_t)(hr_substring(code, stride, from, take) << (left - take));
    }
    out[i] = sketch;
  }
}

static inline double hr_binomial(uint32_t n, uint32_t k) {
  double value = 1;
  for (uint32_t i = 1; i <= k; i++) value = value * (n - k + i) / i;
  return value;
}

static inline size_t hr_least(size_t value, size_t most) { return value < most ? value : most; }

typedef struct {
  uint32_t key, from, to;
} hr_bucket;

/* A code whose sketch is near enough, to be verified among the sorted codes. */
typedef struct {
  uint32_t key, at; /* its bucket, and its position in the table */
} hr_candidate;

/* Whether tables hold numbers of entries in place of sketches. */
static inline bool hr_mih_refers(const hr_mih *mih) { return !mih->sketch_words; }
/* 32-bit words an entry in a table. */
static inline size_t hr_mih_width(const hr_mih *mih) {
  return hr_mih_refers(mih) ? 1 : mih->sketch_words;
}

/* Entries that buckets refer to are compared together: they are far from each other. */
#define HR_REFERRED 512

/* Candidates are verified together, the nearest first: most of the others are out by then. */
#define HR_PENDING 1024

typedef struct {
  const hr_mih *mih;
  const uint64_t *query;
  const uint8_t *allow;
  const int *cancel;
  hr_collector *collector;
  hr_work *work;
  uint32_t keys[HR_MIH_MAX_TABLES];
  uint32_t next[HR_MIH_MAX_TABLES]; /* table t was probed at the radii below next[t] */
  double length[HR_MIH_MAX_TABLES]; /* mean codes a bucket at the last of them; at first, the codes
                                       of the query's own */
  double price[HR_MIH_MAX_TABLES];  /* of probing table t at next[t] */
  uint32_t *sketches;               /* of the query, for each table */
  hr_candidate pending[HR_PENDING];
  uint64_t order[HR_PENDING]; /* distance of its sketch, no more than the code's, << 32 | which */
  size_t pendings, enough;    /* that many are verified at once */
  uint32_t referred[HR_REFERRED]; /* entries to be compared, */
  size_t referreds;               /* and how many they are */
  double estimate;                /* going on pays until so many nanoseconds were spent */
} hr_probing;

/* Whether a bucket that was probed at an earlier radius has shown a code, of which the first bits
 * are known and whose words are `stride` apart. */
HR_INLINE bool hr_probing_has_seen(const hr_probing *p, const uint64_t *code, size_t stride,
                                   uint32_t known) {
  for (uint32_t i = 0; i < p->mih->tables; i++) {
    const hr_mih_table *t = &p->mih->table[i];
    if (t->start + t->prefix > known) break;
    if (p->next[i] && hr_popcount(hr_mih_key(t, code, stride) ^ p->keys[i]) < p->next[i])
      return true;
  }
  return false;
}

/* --- verify.c --- */

/* Keeps the candidates of a bucket of table `number` at a probe radius. False when out of memory.
 */
bool hr_probing_filter(hr_probing *p, uint32_t number, hr_bucket bucket, uint32_t radius);
/* Verifies those that wait. False when out of memory. */
bool hr_probing_verify(hr_probing *p, uint32_t number);

/* --- refer.c --- */

/* Compares, soon, the entries that a bucket refers to. False when out of memory. */
bool hr_probing_refer(hr_probing *p, const hr_mih_table *t, hr_bucket bucket);
/* Compares those that wait. False when out of memory. */
bool hr_probing_compare(hr_probing *p);

/* --- cost.c --- */

/* What probing a table at a radius will cost. Its buckets are as long as those of the last radius,
 * less so the farther it lies: around a query codes crowd, far off they are average. */
double hr_probing_price(const hr_probing *p, const hr_costs *costs, uint32_t number,
                        uint32_t radius);
/* The table with the lowest price. */
uint32_t hr_probing_cheapest(const hr_probing *p, const double *price);
/* Whether all codes within `reach` were seen: a table that was probed to the end shows all. */
bool hr_probing_complete(const hr_probing *p, const uint32_t *next, uint32_t reach);
/* Whether going on, with buckets of a table, is worth it beside a scan. */
bool hr_probing_pays(hr_probing *p, hr_budget *budget, const hr_costs *costs, uint32_t number);

#endif
