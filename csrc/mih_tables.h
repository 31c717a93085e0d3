/* Inside of the tables, for those who build and walk them. */
#ifndef HR_MIH_TABLES_H
#define HR_MIH_TABLES_H

#include "mih.h"

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
  const hr_sorted *sorted;
  uint32_t tables, sketch_words;
  hr_mih_table table[HR_MIH_MAX_TABLES];
  hr_mih_shape shape;
  hr_habits *habits;
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

#endif
