/* From a sketch that is near enough to the codes it stands for. */
#include "kernels/dispatch.h"
#include "mih/internal.h"

bool hr_walk_first_seen(const hr_walk *w, const uint64_t *code) {
  for (uint32_t i = 0; i < w->mih->tables; i++)
    if (w->rings[i] &&
        hr_popcount(hr_mih_key(&w->mih->table[i], code, HR_LANES) ^ w->keys[i]) < w->rings[i])
      return false;
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

static void reconstruct(const hr_mih *mih, const hr_mih_table *t, uint32_t key,
                        const uint32_t *sketch, beginning *code) {
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
static int compare(const hr_postings *sorted, size_t entry, const beginning *code) {
  const uint64_t *words = hr_postings_entry(sorted, entry);
  for (uint32_t at = 0, w = 0; at < code->known; at += 64, w++) {
    uint32_t width = code->known - at < 64 ? code->known - at : 64;
    uint64_t left = hr_swap_bytes(words[w * HR_LANES]) >> (64 - width);
    uint64_t right = code->words[w] >> (64 - width);
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

static uint32_t get_bits(const uint64_t *words, uint32_t at, uint32_t width) {
  uint64_t bits = words[at / 64] << at % 64;
  if (at % 64 + width > 64) bits |= words[at / 64 + 1] >> (64 - at % 64);
  return (uint32_t)(bits >> (64 - width));
}

/* Whether a ring that is done has shown this code, as far as its beginning tells. */
static bool surely_seen(const hr_walk *w, const beginning *code) {
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    const hr_mih_table *t = &w->mih->table[i];
    if (t->start + t->prefix > code->known) break;
    if (w->rings[i] &&
        hr_popcount(get_bits(code->words, t->start, t->prefix) ^ w->keys[i]) < w->rings[i])
      return true;
  }
  return false;
}

/* The bucket of table 0 that holds a survivor: other tables' sketches begin with its key. */
static size_t home_of(const hr_walk *w, const hr_mih_table *t, const hr_candidate *s) {
  uint32_t first = t->sketches[(size_t)s->at * w->mih->sketch_words];
  return first >> (32 - w->mih->table[0].prefix);
}

/* Offers the entries that a survivor of table t may stand for. */
static bool look_up(const hr_walk *w, const hr_mih_table *t, const hr_candidate *s) {
  const hr_mih *mih = w->mih;
  const hr_postings *sorted = mih->sorted;
  beginning code;
  reconstruct(mih, t, s->key, t->sketches + (size_t)s->at * mih->sketch_words, &code);
  if (surely_seen(w, &code)) return true;
  const uint32_t *home = mih->table[0].directory + home_of(w, t, s);
  size_t low = hr_least(home[0], sorted->entries), end = hr_least(home[1], sorted->entries);
  for (size_t high = end; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (compare(sorted, middle, &code) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  for (size_t entry = low; entry < end && !compare(sorted, entry, &code); entry++) {
    const uint64_t *words = hr_postings_entry(sorted, entry);
    if (hr_mih_key(t, words, HR_LANES) != s->key || !hr_walk_first_seen(w, words)) continue;
    uint32_t row = (uint32_t)entry;
    uint16_t distance;
    hr_active_kernels()->distances_at(sorted->blocks, sorted->words, &row, 1, w->query, &distance);
    if (!hr_postings_offer(sorted, entry, distance, w->allow, w->top)) return false;
  }
  return true;
}

/* Counting sort by distance, which does not exceed the limit by now. */
static size_t sort_pending(hr_walk *w) {
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

static void fetch_home(const hr_walk *w, const hr_mih_table *t, const hr_candidate *s) {
  HR_PREFETCH(w->mih->table[0].directory + home_of(w, t, s));
}

/* The middle, where the binary search begins. */
static void fetch_codes(const hr_walk *w, const hr_mih_table *t, const hr_candidate *s) {
  const hr_postings *sorted = w->mih->sorted;
  const uint32_t *home = w->mih->table[0].directory + home_of(w, t, s);
  size_t middle = ((size_t)home[0] + home[1]) / 2;
  if (middle < sorted->entries) HR_PREFETCH(hr_postings_entry(sorted, middle));
}

bool hr_walk_settle(hr_walk *w, uint32_t number) {
  const hr_mih_table *t = &w->mih->table[number];
  const hr_candidate *survivors = w->nearest_first;
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

bool hr_walk_visit_sketches(hr_walk *w, uint32_t number, hr_bucket b, uint32_t ring) {
  const hr_mih *mih = w->mih;
  const hr_mih_table *t = &mih->table[number];
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
      w->pending[w->pendings++] = (hr_candidate){distance, b.key, (uint32_t)at};
      if (w->pendings == w->enough && !hr_walk_settle(w, number)) return false;
    }
  }
  return true;
}
