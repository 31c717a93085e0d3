/* Bucket tables over sorted codes, and the walk through them.
 *
 * What a query costs is what it fetches: a bucket is a directory line and the lines of
 * its codes, 50 to 150 codes of 8 bytes, and takes 110 to 140 ns, fetches of 16 buckets
 * overlapping; comparing its codes, eight a register, takes 0.1 ns each of it. Among a
 * hundred million random codes of 64 bits the ten nearest lie within 12 and take 10,900
 * buckets of three tables and 477,000 candidates, 1.5 ms; among a million they lie within
 * 16 and take 1,000 buckets of five tables and 134,000 candidates, 0.13 ms (a scan: 0.26
 * ms; AVX-512 at 2.3 GHz). On pages of 4 KiB a bucket takes twice as long.
 *
 * Table 0 is the sorted codes themselves: a bucket is a run of them. The other tables
 * keep of each code a sketch, the first bits that its bucket does not tell, sorted by
 * bucket: a candidate is judged by what lies in the bucket, and only a survivor is
 * looked up among the sorted codes. With 64-bit codes a sketch is 4 bytes.
 */
#include "mih.h"

#include <math.h>

#include "dispatch.h"
#include "memory.h"
#include "scan.h"

/* A table owns a substring and is addressed by the first bits of it. */
typedef struct {
  uint32_t start, width, prefix;
  uint32_t *directory; /* 2^prefix + 1 offsets */
  uint32_t *sketches;  /* `sketch_words` an entry; NULL: the sorted codes */
} table;

/* The first bytes of the tables in a file. */
typedef struct {
  uint32_t tables, sketch_words;
  uint32_t prefix[HR_MIH_MAX_TABLES];
  uint32_t reserved[6];
} shape;

_Static_assert(sizeof(shape) == 64, "the shape has no padding");

struct hr_mih {
  const hr_sorted *sorted;
  uint32_t tables, sketch_words;
  table table[HR_MIH_MAX_TABLES];
  shape shape;
  bool borrowed; /* directories and sketches belong to a file's bytes */
};

/* Buckets of about a hundred codes: comparing codes side by side costs a fraction of a
 * nanosecond each, finding a bucket some forty, and a wider substring needs many more. */
#define BUCKET_CODES 128
#define MIN_WIDTH 8
#define MAX_PREFIX 24
/* At least so many codes a bucket, when substrings are wide: directories stay small. */
#define MIN_BUCKET_CODES 8

/* --- building ------------------------------------------------------------------- */

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

static double binomial(uint32_t n, uint32_t k) {
  double value = 1;
  for (uint32_t i = 1; i <= k; i++) value = value * (n - k + i) / i;
  return value;
}

/* The share of random codes within `radius` of a given one. */
static double ball(uint32_t bits, uint32_t radius) {
  double share = ldexp(1, -(int)bits), sum = share;
  for (uint32_t d = 1; d <= radius && d <= bits; d++) sum += share *= (double)(bits - d + 1) / d;
  return sum;
}

#define USUAL_RESULTS 10

/* The distance where random codes have their tenth neighbour. */
static uint32_t usual_radius(uint32_t bits, size_t entries) {
  uint32_t radius = 0;
  while (radius < bits && ball(bits, radius) * (double)entries < USUAL_RESULTS) radius++;
  return radius;
}

/* Of random codes a sketch lets through, at the usual radius, this share. */
#define FALSE_SHARE 0.005

static uint32_t suitable_sketch(uint32_t bits, uint32_t prefix, size_t entries) {
  uint32_t radius = usual_radius(bits, entries), words = 1, most = (bits - prefix + 31) / 32;
  radius -= radius * prefix / bits; /* lies in the prefix */
  while (words < most && ball(words * 32, radius) > FALSE_SHARE) words++;
  return words;
}

static uint32_t key_of(const table *t, const uint64_t *words, size_t stride) {
  return (uint32_t)hr_substring(words, stride, t->start, t->prefix);
}

/* The first 32 * n bits that lie outside of the table's prefix; zeros past the last. */
static void sketch_of(const table *t, uint32_t bits, const uint64_t *words, size_t stride,
                      uint32_t n, uint32_t *out) {
  for (uint32_t i = 0; i < n; i++) {
    uint32_t from = i * 32, left = 32, sketch = 0;
    if (from < t->start) {
      uint32_t take = t->start - from < 32 ? t->start - from : 32;
      sketch = (uint32_t)(hr_substring(words, stride, from, take) << (32 - take));
      left -= take;
      from += take;
    }
    from += t->prefix;
    if (left && from < bits) {
      uint32_t take = bits - from < left ? bits - from : left;
      sketch |= (uint32_t)(hr_substring(words, stride, from, take) << (left - take));
    }
    out[i] = sketch;
  }
}

static bool build_directory(table *t, const hr_sorted *sorted) {
  size_t buckets = (size_t)1 << t->prefix;
  t->directory = hr_alloc_aligned((buckets + 1) * sizeof *t->directory);
  if (!t->directory) return false;
  memset(t->directory, 0, (buckets + 1) * sizeof *t->directory);
  for (size_t e = 0; e < sorted->entries; e++)
    t->directory[key_of(t, hr_sorted_entry(sorted, e), HR_LANES) + 1]++;
  for (size_t b = 0; b < buckets; b++) t->directory[b + 1] += t->directory[b];
  return true;
}

/* Entries come in their order, so that each bucket is in the order of its sketches. */
static bool build_sketches(table *t, const hr_sorted *sorted, uint32_t words) {
  size_t buckets = (size_t)1 << t->prefix;
  if (sorted->entries > SIZE_MAX / sizeof(uint32_t) / words) return false;
  t->sketches = hr_alloc_aligned(sorted->entries * words * sizeof *t->sketches);
  if (!t->sketches) return false;
  for (size_t e = 0; e < sorted->entries; e++) {
    const uint64_t *code = hr_sorted_entry(sorted, e);
    uint32_t at = t->directory[key_of(t, code, HR_LANES)]++;
    sketch_of(t, sorted->rows.bits, code, HR_LANES, words, t->sketches + (size_t)at * words);
  }
  memmove(t->directory + 1, t->directory, buckets * sizeof *t->directory);
  t->directory[0] = 0;
  return true;
}

/* Substrings of equal length, or nearly. */
static void cut(hr_mih *mih) {
  uint32_t bits = mih->sorted->rows.bits;
  for (uint32_t i = 0; i < mih->tables; i++) {
    table *t = &mih->table[i];
    t->start = i * bits / mih->tables;
    t->width = (i + 1) * bits / mih->tables - t->start;
    t->prefix = mih->shape.prefix[i];
  }
}

static void lay_out(hr_mih *mih) {
  uint32_t bits = mih->sorted->rows.bits;
  uint32_t widest = log2_floor(mih->sorted->entries / MIN_BUCKET_CODES + 1);
  if (widest > MAX_PREFIX) widest = MAX_PREFIX;
  if (!widest) widest = 1;
  for (uint32_t i = 0; i < mih->tables; i++) {
    uint32_t width = (i + 1) * bits / mih->tables - i * bits / mih->tables;
    mih->shape.prefix[i] = width < widest ? width : widest;
  }
  mih->sketch_words = suitable_sketch(bits, mih->shape.prefix[0], mih->sorted->entries);
  mih->shape.tables = mih->tables;
  mih->shape.sketch_words = mih->sketch_words;
  cut(mih);
}

hr_status hr_mih_build(const hr_sorted *sorted, uint32_t tables, hr_mih **out) {
  hr_mih *mih = hr_alloc_zero(1, sizeof *mih);
  if (!mih) return HR_NO_MEMORY;
  mih->sorted = sorted;
  mih->tables = tables ? tables : suitable_tables(sorted->rows.bits, sorted->entries);
  lay_out(mih);
  bool ok = true;
  for (uint32_t i = 0; ok && i < mih->tables; i++) {
    ok = build_directory(&mih->table[i], sorted);
    if (ok && i) ok = build_sketches(&mih->table[i], sorted, mih->sketch_words);
  }
  if (!ok) {
    hr_mih_free(mih);
    return HR_NO_MEMORY;
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

size_t hr_mih_bytes(const hr_mih *mih) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < mih->tables; i++)
    bytes += (((size_t)1 << mih->table[i].prefix) + 1 +
              (i ? mih->sorted->entries * mih->sketch_words : 0)) *
             sizeof(uint32_t);
  return bytes;
}

/* --- files ---------------------------------------------------------------------- */

static size_t directory_bytes(const table *t) {
  return (((size_t)1 << t->prefix) + 1) * sizeof *t->directory;
}

static size_t sketches_bytes(const hr_mih *mih) {
  return mih->sorted->entries * mih->sketch_words * sizeof(uint32_t);
}

size_t hr_mih_parts(const hr_mih *mih, hr_chunk *parts) {
  size_t count = 0;
  parts[count++] = (hr_chunk){&mih->shape, sizeof mih->shape};
  for (uint32_t i = 0; i < mih->tables; i++) {
    const table *t = &mih->table[i];
    parts[count++] = (hr_chunk){t->directory, directory_bytes(t)};
    if (i) parts[count++] = (hr_chunk){t->sketches, sketches_bytes(mih)};
  }
  return count;
}

static bool plausible(const shape *s, uint32_t bits) {
  if (!s->tables || s->tables > HR_MIH_MAX_TABLES || s->tables > bits) return false;
  for (uint32_t i = 0; i < s->tables; i++) {
    uint32_t width = (i + 1) * bits / s->tables - i * bits / s->tables;
    if (!s->prefix[i] || s->prefix[i] > width || s->prefix[i] > MAX_PREFIX) return false;
  }
  return s->sketch_words && s->sketch_words <= (bits + 31) / 32;
}

/* The next part of `size` bytes, which begins at a multiple of 64; NULL past the end. */
static uint32_t *take(const uint8_t *bytes, size_t all, size_t *at, size_t size) {
  size_t start = (*at + HR_ALIGNMENT - 1) / HR_ALIGNMENT * HR_ALIGNMENT;
  if (start > all || size > all - start) return NULL;
  *at = start + size;
  return (uint32_t *)(bytes + start);
}

hr_status hr_mih_open(const hr_sorted *sorted, const uint8_t *bytes, size_t size, hr_mih **out) {
  shape found;
  if (size < sizeof found) return HR_BAD_FORMAT;
  memcpy(&found, bytes, sizeof found);
  if (!plausible(&found, sorted->rows.bits)) return HR_BAD_FORMAT;
  hr_mih *mih = hr_alloc_zero(1, sizeof *mih);
  if (!mih) return HR_NO_MEMORY;
  *mih = (hr_mih){.sorted = sorted,
                  .tables = found.tables,
                  .sketch_words = found.sketch_words,
                  .shape = found,
                  .borrowed = true};
  cut(mih);
  size_t at = sizeof found;
  bool ok = true;
  for (uint32_t i = 0; ok && i < mih->tables; i++) {
    table *t = &mih->table[i];
    ok = (t->directory = take(bytes, size, &at, directory_bytes(t))) != NULL;
    if (ok && i) ok = (t->sketches = take(bytes, size, &at, sketches_bytes(mih))) != NULL;
  }
  if (!ok || (at + HR_ALIGNMENT - 1) / HR_ALIGNMENT * HR_ALIGNMENT != size) {
    free(mih);
    return HR_BAD_FORMAT;
  }
  *out = mih;
  return HR_OK;
}

/* --- walking --------------------------------------------------------------------- */

typedef struct {
  uint32_t key, from, to;
} bucket;

/* Buckets on their way from memory together. */
#define FLIGHT 16

/* A candidate whose sketch is near enough, to be looked up among the sorted codes. */
typedef struct {
  uint32_t distance; /* the code's is not less */
  uint32_t key, at;  /* its bucket, and its place in the table */
} survivor;

/* Survivors are looked up together, the nearest first: most of the others are out by then. */
#define PENDING 1024
#define FEWEST_PENDING 32

typedef struct {
  const hr_mih *mih;
  const uint64_t *query;
  const uint8_t *allow;
  const int *cancel;
  hr_nearest *top;
  hr_mih_work *work;
  uint32_t keys[HR_MIH_MAX_TABLES];
  uint32_t rings[HR_MIH_MAX_TABLES]; /* rings 0 .. rings[t] - 1 of table t are done */
  double length[HR_MIH_MAX_TABLES]; /* mean codes a bucket of the latest ring, at first of ring 0 */
  uint32_t *sketches;               /* of the query, for each table */
  survivor pending[PENDING], nearest_first[PENDING];
  size_t pendings, enough; /* that many are looked up at once */
} walk;

/* Whether no ring that is done has shown this code. */
static bool first_seen(const walk *w, const uint64_t *code) {
  for (uint32_t i = 0; i < w->mih->tables; i++)
    if (w->rings[i] &&
        hr_popcount(key_of(&w->mih->table[i], code, HR_LANES) ^ w->keys[i]) < w->rings[i])
      return false;
  return true;
}

static bool visit_codes(const walk *w, bucket b) {
  const hr_sorted *sorted = w->mih->sorted;
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass = {.blocks = sorted->blocks,
                  .words = sorted->words,
                  .block = b.from / HR_LANES,
                  .end = (b.to + HR_LANES - 1) / HR_LANES,
                  .query = {w->query},
                  .queries = 1};
  while (pass.block < pass.end) {
    pass.limit[0] = w->top->limit + 1;
    size_t found = kernels->below(&pass, hits);
    for (size_t i = 0; i < found; i++) {
      uint32_t entry = hits[i].row;
      if (entry < b.from || entry >= b.to || !first_seen(w, hr_sorted_entry(sorted, entry)))
        continue;
      if (!hr_sorted_offer(sorted, entry, hits[i].distance, w->allow, w->top)) return false;
    }
  }
  return true;
}

/* The first `known` bits of a code, as words, from its key in a table and its sketch. */
typedef struct {
  uint64_t words[HR_MAX_BITS / 64 + 1]; /* most significant bit first */
  uint32_t known;
} beginning;

static void put_bits(uint64_t *words, uint32_t at, uint32_t value, uint32_t width) {
  uint64_t bits = (uint64_t)value << (64 - width); /* left-aligned */
  words[at / 64] |= bits >> at % 64;
  if (at % 64 + width > 64) words[at / 64 + 1] |= bits << (64 - at % 64);
}

static void reconstruct(const hr_mih *mih, const table *t, uint32_t key, const uint32_t *sketch,
                        beginning *code) {
  uint32_t bits = mih->sorted->rows.bits, all = mih->sketch_words * 32;
  memset(code->words, 0, (mih->sorted->words + 1) * sizeof *code->words);
  for (uint32_t i = 0; i < mih->sketch_words; i++) {
    uint32_t from = i * 32, before = from < t->start ? t->start - from : 0;
    if (before > 32) before = 32;
    if (before) put_bits(code->words, from, sketch[i] >> (32 - before), before);
    uint32_t at = from + before + t->prefix, left = 32 - before;
    if (from + before < t->start || at >= bits || !left) continue;
    uint32_t take = bits - at < left ? bits - at : left;
    put_bits(code->words, at, sketch[i] << before >> (32 - take), take);
  }
  put_bits(code->words, t->start, key, t->prefix);
  code->known = all < t->start ? all : all + t->prefix;
  if (code->known > bits) code->known = bits;
}

/* Order of an entry's first bits against the known ones. */
static int compare(const hr_sorted *sorted, size_t entry, const beginning *code) {
  const uint64_t *words = hr_sorted_entry(sorted, entry);
  for (uint32_t at = 0, w = 0; at < code->known; at += 64, w++) {
    uint32_t width = code->known - at < 64 ? code->known - at : 64;
    uint64_t left = hr_swap_bytes(words[w * HR_LANES]) >> (64 - width);
    uint64_t right = code->words[w] >> (64 - width);
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

static size_t clamp(size_t value, size_t most) { return value < most ? value : most; }

static uint32_t get_bits(const uint64_t *words, uint32_t at, uint32_t width) {
  uint64_t bits = words[at / 64] << at % 64;
  if (at % 64 + width > 64) bits |= words[at / 64 + 1] >> (64 - at % 64);
  return (uint32_t)(bits >> (64 - width));
}

/* Whether a ring that is done has shown this code, as far as its beginning tells. */
static bool surely_seen(const walk *w, const beginning *code) {
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    const table *t = &w->mih->table[i];
    if (t->start + t->prefix > code->known) break;
    if (w->rings[i] &&
        hr_popcount(get_bits(code->words, t->start, t->prefix) ^ w->keys[i]) < w->rings[i])
      return true;
  }
  return false;
}

/* The bucket of table 0 that holds a survivor: other tables' sketches begin with its key. */
static size_t home_of(const walk *w, const table *t, const survivor *s) {
  uint32_t first = t->sketches[(size_t)s->at * w->mih->sketch_words];
  return first >> (32 - w->mih->table[0].prefix);
}

/* Offers the entries that a survivor of table t may stand for. */
static bool look_up(const walk *w, const table *t, const survivor *s) {
  const hr_mih *mih = w->mih;
  const hr_sorted *sorted = mih->sorted;
  beginning code;
  reconstruct(mih, t, s->key, t->sketches + (size_t)s->at * mih->sketch_words, &code);
  if (surely_seen(w, &code)) return true;
  const uint32_t *home = mih->table[0].directory + home_of(w, t, s);
  size_t low = clamp(home[0], sorted->entries), end = clamp(home[1], sorted->entries);
  for (size_t high = end; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (compare(sorted, middle, &code) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  for (size_t entry = low; entry < end && !compare(sorted, entry, &code); entry++) {
    const uint64_t *words = hr_sorted_entry(sorted, entry);
    if (key_of(t, words, HR_LANES) != s->key || !first_seen(w, words)) continue;
    uint32_t row = (uint32_t)entry;
    uint16_t distance;
    hr_active_kernels()->pick(sorted->blocks, sorted->words, &row, 1, w->query, &distance);
    if (!hr_sorted_offer(sorted, entry, distance, w->allow, w->top)) return false;
  }
  return true;
}

/* Counting sort by distance, which does not exceed the limit by now. */
static size_t sort_pending(walk *w) {
  uint32_t limit = w->top->limit, starts[HR_MAX_BITS + 2];
  memset(starts, 0, (limit + 2) * sizeof *starts);
  size_t count = 0;
  for (size_t i = 0; i < w->pendings; i++)
    if (w->pending[i].distance <= limit) {
      starts[w->pending[i].distance + 1]++;
      count++;
    }
  for (uint32_t d = 0; d <= limit; d++) starts[d + 1] += starts[d];
  for (size_t i = 0; i < w->pendings; i++)
    if (w->pending[i].distance <= limit)
      w->nearest_first[starts[w->pending[i].distance]++] = w->pending[i];
  return count;
}

/* How many survivors ahead the directory and the codes are fetched. */
#define AHEAD_HOME 8
#define AHEAD_CODES 4

static void fetch_home(const walk *w, const table *t, const survivor *s) {
  HR_PREFETCH(w->mih->table[0].directory + home_of(w, t, s));
}

/* The middle, where the binary search begins. */
static void fetch_codes(const walk *w, const table *t, const survivor *s) {
  const hr_sorted *sorted = w->mih->sorted;
  const uint32_t *home = w->mih->table[0].directory + home_of(w, t, s);
  size_t middle = ((size_t)home[0] + home[1]) / 2;
  if (middle < sorted->entries) HR_PREFETCH(hr_sorted_entry(sorted, middle));
}

static bool settle(walk *w, uint32_t number) {
  const table *t = &w->mih->table[number];
  const survivor *survivors = w->nearest_first;
  size_t count = sort_pending(w);
  for (size_t i = 0; i < AHEAD_HOME && i < count; i++) fetch_home(w, t, &survivors[i]);
  for (size_t i = 0; i < AHEAD_CODES && i < count; i++) fetch_codes(w, t, &survivors[i]);
  for (size_t i = 0; i < count && survivors[i].distance <= w->top->limit; i++) {
    if (i + AHEAD_HOME < count) fetch_home(w, t, &survivors[i + AHEAD_HOME]);
    if (i + AHEAD_CODES < count) fetch_codes(w, t, &survivors[i + AHEAD_CODES]);
    if (!look_up(w, t, &survivors[i])) return false;
    w->work->found++;
  }
  w->pendings = 0;
  return true;
}

static uint32_t sketch_distance(const uint32_t *a, const uint32_t *b, size_t words) {
  uint32_t distance = 0;
  for (size_t i = 0; i < words; i++) distance += hr_popcount(a[i] ^ b[i]);
  return distance;
}

static bool visit_sketches(walk *w, uint32_t number, bucket b, uint32_t ring) {
  const hr_mih *mih = w->mih;
  const table *t = &mih->table[number];
  uint32_t words = mih->sketch_words, hits[HR_SKETCHES];
  const uint32_t *query = w->sketches + number * words;
  for (size_t from = b.from; from < b.to; from += HR_SKETCHES) {
    size_t count = b.to - from < HR_SKETCHES ? b.to - from : HR_SKETCHES;
    if (ring > w->top->limit) return true;
    size_t found = hr_active_kernels()->sketches(t->sketches + from * words, words, count, query,
                                                 w->top->limit - ring, hits);
    for (size_t i = 0; i < found; i++) {
      size_t at = from + hits[i];
      const uint32_t *sketch = t->sketches + at * words;
      /* Equal sketches lie side by side and are looked up together. */
      if (at > b.from && !memcmp(sketch, sketch - words, words * sizeof *sketch)) continue;
      uint32_t distance = ring + sketch_distance(sketch, query, words);
      if (distance > w->top->limit) continue;
      w->pending[w->pendings++] = (survivor){distance, b.key, (uint32_t)at};
      if (w->pendings == w->enough && !settle(w, number)) return false;
    }
  }
  return true;
}

/* --- one ring ---------------------------------------------------------------------- */

/* The next greater number with as many ones (Gosper). */
static uint32_t next_mask(uint32_t mask) {
  uint32_t lowest = mask & (~mask + 1), ripple = mask + lowest;
  return ripple | (((mask ^ ripple) >> 2) / lowest);
}

/* Masks of `ones` bits among `width`, in rising order. */
typedef struct {
  uint32_t mask, end;
  bool over;
} masks;

static masks masks_open(uint32_t width, uint32_t ones) {
  uint32_t first = ((uint32_t)1 << ones) - 1;
  return (masks){.mask = first, .end = first << (width - ones)};
}

static size_t take_keys(masks *m, const table *t, uint32_t own, bucket *out) {
  size_t n = 0;
  for (; n < FLIGHT && !m->over; n++) {
    out[n].key = own ^ m->mask;
    HR_PREFETCH(t->directory + out[n].key);
    m->over = m->mask == m->end;
    if (!m->over) m->mask = next_mask(m->mask);
  }
  return n;
}

#define LINE_BYTES 64
/* Lines of a bucket fetched ahead; the processor fetches on by itself. */
#define AHEAD_LINES 16

static void fetch_lines(const char *from, const char *to) {
  if (to > from + AHEAD_LINES * LINE_BYTES) to = from + AHEAD_LINES * LINE_BYTES;
  for (; from < to; from += LINE_BYTES) HR_PREFETCH(from);
}

static void fetch_bucket(const walk *w, const table *t, const bucket *b) {
  const hr_mih *mih = w->mih;
  if (t->sketches) {
    fetch_lines((const char *)(t->sketches + (size_t)b->from * mih->sketch_words),
                (const char *)(t->sketches + (size_t)b->to * mih->sketch_words));
  } else {
    size_t block = mih->sorted->words * HR_LANES;
    fetch_lines((const char *)(mih->sorted->blocks + b->from / HR_LANES * block),
                (const char *)(mih->sorted->blocks + (b->to / HR_LANES + 1) * block));
  }
}

static void find_buckets(const walk *w, const table *t, bucket *buckets, size_t n) {
  size_t entries = w->mih->sorted->entries;
  for (size_t i = 0; i < n; i++) {
    bucket *b = &buckets[i];
    b->from = t->directory[b->key];
    b->to = (uint32_t)clamp(t->directory[b->key + 1], entries);
    if (b->from >= b->to) b->from = b->to = 0;
    fetch_bucket(w, t, b);
  }
}

static bool visit(walk *w, uint32_t number, uint32_t ring, const bucket *buckets, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (buckets[i].from == buckets[i].to) continue;
    w->work->candidates += buckets[i].to - buckets[i].from;
    bool ok = number ? visit_sketches(w, number, buckets[i], ring) : visit_codes(w, buckets[i]);
    if (!ok) return false;
  }
  w->work->buckets += n;
  return true;
}

/* Three flights are under way: keys whose directory entries are fetched, buckets whose
 * codes are fetched, and buckets that are visited. */
static hr_status walk_ring(walk *w, uint32_t number) {
  const table *t = &w->mih->table[number];
  uint32_t ring = w->rings[number];
  uint64_t candidates = w->work->candidates, buckets = w->work->buckets;
  masks m = masks_open(t->prefix, ring);
  bucket flights[3][FLIGHT];
  size_t sizes[3] = {0};
  for (size_t turn = 0;; turn++) {
    size_t newest = turn % 3, middle = (turn + 2) % 3, oldest = (turn + 1) % 3;
    if (!visit(w, number, ring, flights[oldest], sizes[oldest])) return HR_NO_MEMORY;
    sizes[newest] = take_keys(&m, t, w->keys[number], flights[newest]);
    find_buckets(w, t, flights[middle], sizes[middle]);
    sizes[oldest] = 0;
    if (!sizes[newest] && !sizes[middle]) break;
    if (hr_cancelled(w->cancel)) return HR_CANCELLED;
  }
  if (w->pendings && !settle(w, number)) return HR_NO_MEMORY;
  w->rings[number]++;
  w->length[number] =
      (double)(w->work->candidates - candidates) / (double)(w->work->buckets - buckets);
  return HR_OK;
}

/* --- the order of rings ------------------------------------------------------------- */

/* What ring `ring` of a table will cost. Its buckets are as long as those of the latest ring,
 * less so the farther it lies: around a query codes crowd, far off they are average. */
static double ring_cost(const walk *w, const hr_costs *costs, uint32_t number, uint32_t ring) {
  const table *t = &w->mih->table[number];
  double mean = (double)w->mih->sorted->entries / (double)((size_t)1 << t->prefix);
  double excess = w->length[number] - mean;
  for (uint32_t r = w->rings[number] ? w->rings[number] : 1; r <= ring; r++) excess /= 2;
  return binomial(t->prefix, ring) * (costs->bucket + (mean + excess) * costs->code);
}

/* The table whose next ring is the cheapest. */
static uint32_t cheapest(const walk *w, const hr_costs *costs, const uint32_t *rings,
                         double *cost) {
  uint32_t best = 0;
  *cost = INFINITY;
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    double one = ring_cost(w, costs, i, rings[i]);
    if (one < *cost) {
      *cost = one;
      best = i;
    }
  }
  return best;
}

/* Whether all codes within `limit` were seen: a table that is walked through shows all. */
static bool complete(const walk *w, const uint32_t *rings, uint32_t limit) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    if (rings[i] > w->mih->table[i].prefix) return true;
    sum += rings[i];
  }
  return sum > limit;
}

/* Survivors that are looked up for each result: some are beaten later. */
#define LOOKED_UP 2

/* What is left to do until all codes within `limit` were seen. */
static double remaining_cost(const walk *w, const hr_costs *costs, uint32_t limit) {
  uint32_t rings[HR_MIH_MAX_TABLES];
  memcpy(rings, w->rings, sizeof rings);
  double results = w->top->k == SIZE_MAX ? 0 : LOOKED_UP * (double)w->top->k, cost;
  double left = results - (double)w->work->found, sum = left > 0 ? left * costs->found : 0;
  while (!complete(w, rings, limit)) {
    rings[cheapest(w, costs, rings, &cost)]++;
    sum += cost;
  }
  return sum;
}

/* Distances up to this one are looked at to foresee the limit. */
#define FORESEEN 64

/* unseen[d]: the share of codes at distance d, differing in random bits, that no ring so far
 * has shown: those with at least rings[i] different bits in the prefix of every table i. */
static void unseen_shares(const walk *w, uint32_t limit, double *unseen) {
  const hr_mih *mih = w->mih;
  uint32_t bits = mih->sorted->rows.bits, rest = bits;
  double ways[FORESEEN + 1] = {1}, next[FORESEEN + 1];
  for (uint32_t i = 0; i <= mih->tables; i++) {
    uint32_t width = i < mih->tables ? mih->table[i].prefix : rest;
    uint32_t least = i < mih->tables ? w->rings[i] : 0;
    double choices[FORESEEN + 1];
    for (uint32_t d = 0; d <= limit; d++)
      choices[d] = d >= least && d <= width ? binomial(width, d) : 0;
    for (uint32_t d = 0; d <= limit; d++) {
      next[d] = 0;
      for (uint32_t e = 0; e <= d; e++) next[d] += ways[e] * choices[d - e];
    }
    memcpy(ways, next, sizeof ways);
    if (i < mih->tables) rest -= width;
  }
  for (uint32_t d = 0; d <= limit; d++) unseen[d] = ways[d] / binomial(bits, d);
}

/* The distance within which there are k codes, judging by those found and by the share of
 * codes so far that the rings would have missed. At most the present limit. */
static uint32_t foreseen_limit(const walk *w) {
  double unseen[FORESEEN + 1], sum = 0;
  uint32_t limit = w->top->limit;
  if (w->top->k == SIZE_MAX || limit > FORESEEN) return limit;
  unseen_shares(w, limit, unseen);
  for (uint32_t d = 0; d < limit; d++) {
    if (unseen[d] < 1) sum += w->top->counts[d] / (1 - unseen[d]);
    if (sum >= (double)w->top->k) return d;
  }
  return limit;
}

/* Share of a scan's cost that may be spent before it is known whether the walk pays. */
#define EXPLORED 0.07
/* Predictions are off by some: a walk that is to cost nearly as much as a scan is none. */
#define WORTHWHILE 0.9

/* The present limit bounds what is left to do: the k-th distance only falls. */
static bool pays(const walk *w, const hr_costs *costs, double next, double scan_ns) {
  double k = w->top->k == SIZE_MAX ? 0 : (double)w->top->k, worth = WORTHWHILE * scan_ns;
  if (LOOKED_UP * k * costs->found > worth) return false;
  double spent = (double)w->work->buckets * costs->bucket +
                 (double)w->work->candidates * costs->code + (double)w->work->found * costs->found;
  return spent + next <= EXPLORED * scan_ns || remaining_cost(w, costs, w->top->limit) <= worth ||
         remaining_cost(w, costs, foreseen_limit(w)) <= worth;
}

/* Used for the order of rings where no costs were measured. */
static const hr_costs typical = {
    .block = 2, .grouped = 0.5, .bucket = 40, .code = 0.4, .found = 100};

static double bucket_length(const hr_mih *mih, uint32_t number, uint32_t key) {
  const uint32_t *own = mih->table[number].directory + key;
  size_t from = clamp(own[0], mih->sorted->entries), to = clamp(own[1], mih->sorted->entries);
  return to > from ? (double)(to - from) : 0;
}

static void open_walk(walk *w, const hr_mih *mih, const uint64_t *query, uint32_t *sketches,
                      hr_nearest *top, hr_mih_work *work) {
  *work = (hr_mih_work){0};
  w->mih = mih;
  w->query = query;
  w->allow = NULL;
  w->cancel = NULL;
  w->top = top;
  w->work = work;
  w->sketches = sketches;
  w->pendings = 0;
  w->enough = top->k < FEWEST_PENDING ? FEWEST_PENDING : top->k < PENDING ? top->k : PENDING;
  memset(w->rings, 0, sizeof w->rings);
  for (uint32_t i = 0; i < mih->tables; i++) {
    w->keys[i] = key_of(&mih->table[i], query, 1);
    w->length[i] = bucket_length(mih, i, w->keys[i]);
    sketch_of(&mih->table[i], mih->sorted->rows.bits, query, 1, mih->sketch_words,
              w->sketches + (size_t)i * mih->sketch_words);
  }
}

static uint32_t radius_seen(const walk *w) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    if (w->rings[i] > w->mih->table[i].prefix) return w->mih->sorted->rows.bits;
    sum += w->rings[i];
  }
  return sum - 1;
}

/* Room for the sketches of any query in all tables. */
#define QUERY_SKETCHES (HR_MIH_MAX_TABLES * HR_MAX_BITS / 64)

static void step(walk *w, const hr_costs *costs, uint32_t *next, double *cost) {
  *next = cheapest(w, costs ? costs : &typical, w->rings, cost);
}

hr_status hr_mih_search(const hr_mih *mih, const uint64_t *query, const uint8_t *allow,
                        const int *cancel, const hr_costs *costs, double scan_ns, hr_nearest *top,
                        hr_mih_work *work) {
  uint32_t sketches[QUERY_SKETCHES], next;
  walk w; /* its lists are large and need not be cleared */
  open_walk(&w, mih, query, sketches, top, work);
  w.allow = allow;
  w.cancel = cancel;
  hr_status status = HR_OK;
  while (!status && !complete(&w, w.rings, top->limit)) {
    double cost;
    step(&w, costs, &next, &cost);
    if (costs && !pays(&w, costs, cost, scan_ns)) {
      work->gave_up = true;
      break;
    }
    status = walk_ring(&w, next);
  }
  work->radius = radius_seen(&w);
  return status;
}

hr_status hr_mih_trial(const hr_mih *mih, const uint64_t *query, uint64_t buckets, hr_nearest *top,
                       hr_mih_work *work) {
  uint32_t sketches[QUERY_SKETCHES], next;
  walk w;
  hr_nearest_reset(top, usual_radius(mih->sorted->rows.bits, mih->sorted->entries));
  open_walk(&w, mih, query, sketches, top, work);
  hr_status status = HR_OK;
  while (!status && work->buckets < buckets && !complete(&w, w.rings, top->farthest)) {
    double cost;
    step(&w, NULL, &next, &cost);
    status = walk_ring(&w, next);
  }
  return status;
}
