/* Bucket tables over sorted codes.
 *
 * What a query costs is what it fetches: a bucket is a directory line and the lines of its codes,
 * 50 to 150 of 8 bytes. It takes about 100 ns, and 1.1 to 1.2 ns a code, of which comparing eight
 * a register is a tenth; fetches of 16 buckets overlap. Among a hundred million random codes of
 * 64 bits the ten nearest lie within 12 and take 10,900 buckets of three tables and 477,000
 * codes, 1.5 ms; among a million they lie within 16 and take 790 buckets of five tables and
 * 106,000 codes, 0.11 to 0.18 ms by what else is in the cache (a scan: 0.26 ms; AVX-512 at
 * 2.3 GHz). On pages of 4 KiB a bucket takes twice as long.
 *
 * Table 0 is the sorted codes themselves: a bucket is a run of them. The other tables
 * keep of each code a sketch, the first bits that its bucket does not tell, sorted by
 * bucket: a code is judged by what lies in the bucket, and only a candidate is
 * verified among the sorted codes. With 64-bit codes a sketch is 4 bytes. Tables made for a radius
 * that short sketches tell nothing of keep the numbers of entries in their place (refer.c).
 */
#include "mih/mih.h"

#include <math.h>

#include "base/bisect.h"
#include "base/cancel.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "mih/internal.h"

/* Buckets of about a hundred codes: comparing codes side by side costs a fraction of a
 * nanosecond each, finding a bucket some forty, and a wider substring needs many more. */
#define BUCKET_CODES 128
#define MIN_WIDTH 8
#define MAX_PREFIX 24
/* At least so many codes a bucket, when substrings are wide: directories stay small. */
#define MIN_BUCKET_CODES 8

static uint32_t log2_floor(size_t n) {
  uint32_t bits = 0;
  while (n >>= 1) bits++;
  return bits;
}

static uint32_t suitable_tables(uint32_t bits, size_t entries) {
  uint32_t width = log2_floor(entries / BUCKET_CODES + 1);
  if (width < MIN_WIDTH) width = MIN_WIDTH;
  uint32_t tables = (bits + width / 2) / width;
  if (!tables) tables = 1;
  return tables < HR_MIH_MAX_TABLES ? tables : HR_MIH_MAX_TABLES;
}

/* The least radius within which a code has so many others, of random codes. */
static uint32_t radius_of(uint32_t bits, double codes, double others) {
  double exponent = -(double)bits, share = exp2(exponent);
  uint32_t radius = 0;
  while (radius < bits && share * codes < others) {
    radius++;
    exponent += log2((double)(bits - radius + 1) / radius);
    share += exp2(exponent);
  }
  return radius;
}

/* Of random codes a sketch lets through, where so many are asked for, this share. */
#define USUAL_RESULTS 10
#define FALSE_SHARE 0.005

static uint32_t suitable_sketch(uint32_t bits, uint32_t prefix, size_t entries) {
  uint32_t radius = radius_of(bits, (double)entries, USUAL_RESULTS);
  uint32_t words = 1, most = (bits - prefix + 31) / 32;
  radius -= radius * prefix / bits; /* lies in the prefix */
  while (words < most && radius_of(words * 32, 1, FALSE_SHARE) <= radius) words++;
  return words;
}

static size_t directory_bytes(const hr_mih_table *t) {
  return (((size_t)1 << t->prefix) + 1) * sizeof *t->directory;
}

static size_t sketches_bytes(const hr_mih *mih) {
  return mih->postings->entries * hr_mih_width(mih) * sizeof(uint32_t);
}

static hr_status build_directory(hr_mih_table *t, const hr_postings *postings, const int *cancel) {
  t->directory = hr_alloc_aligned(directory_bytes(t));
  if (!t->directory) return HR_NO_MEMORY;
  memset(t->directory, 0, directory_bytes(t));
  for (size_t e = 0; e < postings->entries; e++) {
    if (e % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    t->directory[hr_mih_key(t, hr_postings_entry(postings, e), HR_LANES) + 1]++;
  }
  hr_starts(t->directory, (size_t)1 << t->prefix);
  return HR_OK;
}

/* Sketches are written so many at once, far from each other: fetched before, they take a quarter
 * less time. */
#define TOGETHER ((size_t)32)

/* Entries come in their order, so that each bucket is in the order of its sketches. */
HR_INLINE hr_status put_sketches(uint32_t words, const hr_mih *mih, hr_mih_table *t,
                                 const int *cancel) {
  const hr_postings *postings = mih->postings;
  hr_sketching sketching = {postings->rows.bits, t->start, t->prefix, words};
  for (size_t e = 0; e < postings->entries; e += TOGETHER) {
    if (e % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    size_t n = hr_least(postings->entries - e, TOGETHER);
    const uint64_t *codes[TOGETHER];
    uint32_t *to[TOGETHER];
    for (size_t i = 0; i < n; i++) {
      codes[i] = hr_postings_entry(postings, e + i);
      to[i] = t->sketches + (size_t)t->directory[hr_mih_key(t, codes[i], HR_LANES)]++ * words;
      HR_PREFETCH(to[i]);
    }
    for (size_t i = 0; i < n; i++) hr_mih_sketch(sketching, codes[i], HR_LANES, to[i]);
  }
  hr_starts_again(t->directory, (size_t)1 << t->prefix);
  return HR_OK;
}

/* The same of numbers in place of sketches. */
static hr_status put_numbers(const hr_postings *postings, hr_mih_table *t, const int *cancel) {
  for (size_t e = 0; e < postings->entries; e += TOGETHER) {
    if (e % HR_POLL == 0 && hr_cancelled(cancel)) return HR_CANCELLED;
    size_t n = hr_least(postings->entries - e, TOGETHER);
    uint32_t *to[TOGETHER];
    for (size_t i = 0; i < n; i++) {
      uint32_t key = hr_mih_key(t, hr_postings_entry(postings, e + i), HR_LANES);
      to[i] = t->sketches + t->directory[key]++;
      HR_PREFETCH(to[i]);
    }
    for (size_t i = 0; i < n; i++) *to[i] = (uint32_t)(e + i);
  }
  hr_starts_again(t->directory, (size_t)1 << t->prefix);
  return HR_OK;
}

static hr_status build_sketches(const hr_mih *mih, hr_mih_table *t, const int *cancel) {
  if (mih->postings->entries > SIZE_MAX / sizeof(uint32_t) / hr_mih_width(mih)) return HR_NO_MEMORY;
  t->sketches = hr_alloc_aligned(sketches_bytes(mih));
  if (!t->sketches) return HR_NO_MEMORY;
  if (hr_mih_refers(mih)) return put_numbers(mih->postings, t, cancel);
  return HR_BY_WIDTH(put_sketches, mih->sketch_words, mih, t, cancel);
}

/* Where the i-th of substrings of equal length, or nearly, begins. */
static uint32_t start_of(uint32_t bits, uint32_t tables, uint32_t i) { return i * bits / tables; }

static uint32_t width_of(uint32_t bits, uint32_t tables, uint32_t i) {
  return start_of(bits, tables, i + 1) - start_of(bits, tables, i);
}

/* --- tables for searches within a radius ------------------------------------------------------
 *
 * All codes within r were seen when the numbers of radii probed, of all tables together, are r + 1:
 * many tables are probed at few radii each, of short keys, whose buckets are many and long; few
 * tables at many radii of long keys. Of ten million uniform codes of 256 bits and r = 31, binomials
 * say that 8 tables of 20 bits would take 11,000 buckets and 100,000 codes, 12 of 21 bits 1,900 and
 * 9,000, 16 of 16 bits 270 and 41,000.
 */

/* A directory takes at most a byte an entry. */
#define DIRECTORY_ENTRIES 4

static uint32_t widest_prefix(size_t entries, size_t least) {
  uint32_t widest = log2_floor(entries / least + 1);
  if (widest > MAX_PREFIX) widest = MAX_PREFIX;
  return widest ? widest : 1;
}

/* What is expected of a search within `radius`, with uniform codes, at typical costs. */
static double radius_cost(const hr_mih *mih, uint32_t radius) {
  hr_costs costs = hr_mih_costs(mih, &hr_typical_costs);
  double sum = 0;
  for (uint32_t i = 0; i < mih->tables; i++) {
    uint32_t prefix = mih->shape.prefix[i];
    uint32_t radii = (radius + 1) / mih->tables + (i < (radius + 1) % mih->tables);
    double bucket = (double)mih->postings->entries / (double)((size_t)1 << prefix);
    for (uint32_t r = 0; r < radii && r <= prefix; r++)
      sum += hr_binomial(prefix, r) * (costs.bucket + bucket * costs.code);
  }
  return sum;
}

/* Sketches of one word are no longer than a number, and tell something of shorter codes. */
static uint32_t sketch_for_radius(uint32_t radius) {
  return radius_of(32, 1, FALSE_SHARE) > radius ? 1 : 0;
}

static hr_mih_shape lay_out_for(const hr_postings *postings, uint32_t radius) {
  hr_mih_shape best = {0};
  uint32_t bits = postings->rows.bits;
  double least = INFINITY;
  for (uint32_t tables = 1; tables <= HR_MIH_MAX_TABLES && tables <= bits; tables++) {
    hr_mih_shape shape = {.tables = tables, .sketch_words = sketch_for_radius(radius)};
    uint32_t widest = widest_prefix(postings->entries, DIRECTORY_ENTRIES);
    for (uint32_t i = 0; i < tables; i++)
      shape.prefix[i] = (uint32_t)hr_least(width_of(bits, tables, i), widest);
    hr_mih mih = {
        .postings = postings, .tables = tables, .sketch_words = shape.sketch_words, .shape = shape};
    double cost = radius_cost(&mih, radius);
    if (cost >= least) continue;
    least = cost;
    best = shape;
  }
  return best;
}

static hr_mih_shape lay_out(const hr_postings *postings, uint32_t tables) {
  if (tables >= HR_TABLES_FOR_RADIUS) return lay_out_for(postings, tables - HR_TABLES_FOR_RADIUS);
  uint32_t bits = postings->rows.bits, widest = widest_prefix(postings->entries, MIN_BUCKET_CODES);
  hr_mih_shape shape = {.tables = tables ? tables : suitable_tables(bits, postings->entries)};
  for (uint32_t i = 0; i < shape.tables; i++)
    shape.prefix[i] = (uint32_t)hr_least(width_of(bits, shape.tables, i), widest);
  shape.sketch_words = suitable_sketch(bits, shape.prefix[0], postings->entries);
  return shape;
}

/* Tables of that shape, without memory; NULL when out of that. */
static hr_mih *open_tables(const hr_postings *postings, const hr_mih_shape *shape) {
  hr_mih *mih = hr_alloc_zero(1, sizeof *mih);
  if (!mih) return NULL;
  *mih = (hr_mih){.postings = postings,
                  .tables = shape->tables,
                  .sketch_words = shape->sketch_words,
                  .shape = *shape};
  for (uint32_t i = 0; i < mih->tables; i++) {
    mih->table[i].start = start_of(postings->rows.bits, mih->tables, i);
    mih->table[i].prefix = shape->prefix[i];
  }
  return mih;
}

hr_status hr_mih_build(const hr_postings *postings, uint32_t tables, const int *cancel,
                       hr_mih **out) {
  hr_mih_shape shape = lay_out(postings, tables);
  hr_mih *mih = open_tables(postings, &shape);
  if (!mih) return HR_NO_MEMORY;
  hr_status status = HR_OK;
  for (uint32_t i = 0; !status && i < mih->tables; i++) {
    status = build_directory(&mih->table[i], postings, cancel);
    if (!status && i) status = build_sketches(mih, &mih->table[i], cancel);
  }
  if (status) {
    hr_mih_free(mih);
    return status;
  }
  *out = mih;
  return HR_OK;
}

void hr_mih_free(hr_mih *mih) {
  if (!mih) return;
  for (uint32_t i = 0; i < mih->tables && !mih->borrowed; i++) {
    hr_free_aligned(mih->table[i].directory);
    hr_free_aligned(mih->table[i].sketches);
  }
  free(mih);
}

size_t hr_mih_parts(const hr_mih *mih, hr_span *parts) {
  size_t count = 0;
  parts[count++] = (hr_span){&mih->shape, sizeof mih->shape};
  for (uint32_t i = 0; i < mih->tables; i++) {
    const hr_mih_table *t = &mih->table[i];
    parts[count++] = (hr_span){t->directory, directory_bytes(t)};
    if (i) parts[count++] = (hr_span){t->sketches, sketches_bytes(mih)};
  }
  return count;
}

size_t hr_mih_bytes(const hr_mih *mih) {
  hr_span parts[HR_MIH_PARTS];
  size_t bytes = 0, count = hr_mih_parts(mih, parts);
  for (size_t i = 1; i < count; i++) bytes += parts[i].size; /* all but the shape */
  return bytes;
}

static bool plausible(const hr_mih_shape *s, uint32_t bits) {
  if (!s->tables || s->tables > HR_MIH_MAX_TABLES || s->tables > bits) return false;
  for (uint32_t i = 0; i < s->tables; i++) {
    uint32_t most = (uint32_t)hr_least(width_of(bits, s->tables, i), MAX_PREFIX);
    if (!s->prefix[i] || s->prefix[i] > most) return false;
  }
  return s->sketch_words <= (bits + 31) / 32;
}

/* The next part of `size` bytes, which begins at a multiple of 64; NULL past the end. */
static uint32_t *take(const uint8_t *bytes, size_t all, size_t *at, size_t size) {
  size_t start = (*at + HR_ALIGNMENT - 1) / HR_ALIGNMENT * HR_ALIGNMENT;
  if (start > all || size > all - start) return NULL;
  *at = start + size;
  return (uint32_t *)(bytes + start);
}

hr_status hr_mih_open(const hr_postings *postings, const uint8_t *bytes, size_t size,
                      hr_mih **out) {
  hr_mih_shape shape;
  if (size < sizeof shape) return HR_BAD_FORMAT;
  memcpy(&shape, bytes, sizeof shape);
  if (!plausible(&shape, postings->rows.bits)) return HR_BAD_FORMAT;
  hr_mih *mih = open_tables(postings, &shape);
  if (!mih) return HR_NO_MEMORY;
  mih->borrowed = true;
  size_t at = sizeof shape;
  bool ok = true;
  for (uint32_t i = 0; ok && i < mih->tables; i++) {
    hr_mih_table *t = &mih->table[i];
    ok = (t->directory = take(bytes, size, &at, directory_bytes(t))) != NULL;
    if (ok && i) ok = (t->sketches = take(bytes, size, &at, sketches_bytes(mih))) != NULL;
  }
  if (!ok || (at + HR_ALIGNMENT - 1) / HR_ALIGNMENT * HR_ALIGNMENT != size) {
    hr_mih_free(mih);
    return HR_BAD_FORMAT;
  }
  *out = mih;
  return HR_OK;
}
