/* From a sketch that is near enough, a candidate, to the codes it stands for. */
#include <string.h>

#include "base/bisect.h"
#include "kernels/dispatch.h"
#include "mih/internal.h"
#include "storage/blocks.h"

/* The first `known` bits of a code, from its key in a table and its sketch. */
typedef struct {
  uint64_t words[HR_MAX_BITS / 64 + 1]; /* side by side */
  uint32_t known;
} beginning;

static void put_bits(uint64_t *words, uint32_t at, uint32_t value, uint32_t width) {
  uint64_t bits = (uint64_t)value << (64 - width); /* left-aligned */
  words[at / 64] |= hr_swap_bytes(bits >> at % 64);
  if (at % 64 + width > 64) words[at / 64 + 1] |= hr_swap_bytes(bits << (64 - at % 64));
}

static void reconstruct(const hr_mih *mih, const hr_mih_table *t, uint32_t key,
                        const uint32_t *sketch, beginning *code) {
  uint32_t bits = mih->postings->rows.bits, all = mih->sketch_words * 32;
  memset(code->words, 0, (mih->postings->words + 1) * sizeof *code->words);
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

/* Whether an entry's first bits are the known ones. */
static bool begins(const uint64_t *entry, const beginning *code) {
  for (uint32_t at = 0, w = 0; at < code->known; at += 64, w++) {
    uint32_t width = code->known - at < 64 ? code->known - at : 64;
    if (hr_swap_bytes(entry[w * HR_LANES] ^ code->words[w]) >> (64 - width)) return false;
  }
  return true;
}

/* The bucket of table 0 that holds a candidate: other tables' sketches begin with its key. */
static const uint32_t *home_of(const hr_probing *p, const hr_mih_table *t, const hr_candidate *c) {
  const hr_mih_table *first = &p->mih->table[0];
  uint32_t sketch = t->sketches[(size_t)c->at * p->mih->sketch_words];
  return first->directory + (sketch >> (32 - first->prefix));
}

/* Offers the entries that a candidate of table t may stand for. */
static bool verify(hr_probing *p, const hr_mih_table *t, const hr_candidate *c) {
  const hr_mih *mih = p->mih;
  const hr_postings *postings = mih->postings;
  beginning code;
  reconstruct(mih, t, c->key, t->sketches + (size_t)c->at * mih->sketch_words, &code);
  if (hr_probing_has_seen(p, code.words, 1, code.known)) return true;
  const uint32_t *home = home_of(p, t, c);
  size_t end = hr_least(home[1], postings->entries), low = hr_least(home[0], postings->entries);
  HR_BISECT(
      low, end, entry,
      hr_words_compare(hr_postings_entry(postings, entry), code.words, 1, postings->words) < 0);
  for (size_t entry = low; entry < end; entry++) {
    const uint64_t *words = hr_postings_entry(postings, entry);
    if (!begins(words, &code)) break;
    if (hr_mih_key(t, words, HR_LANES) != c->key ||
        hr_probing_has_seen(p, words, HR_LANES, postings->rows.bits))
      continue;
    uint32_t row = (uint32_t)entry;
    uint16_t distance;
    hr_active_kernels()->distances_at(postings->blocks, postings->words, &row, 1, p->query,
                                      &distance);
    if (!hr_collector_offer_entry(p->collector, postings, entry, distance, p->allow)) return false;
  }
  return true;
}

/* How many candidates ahead the directory and the codes are fetched. */
#define AHEAD_HOME 8
#define AHEAD_CODES 4

/* The middle, where the binary search begins. */
static void fetch_codes(const hr_probing *p, const uint32_t *home) {
  const hr_postings *postings = p->mih->postings;
  size_t middle = ((size_t)home[0] + home[1]) / 2;
  if (middle < postings->entries) HR_PREFETCH(hr_postings_entry(postings, middle));
}

bool hr_probing_verify(hr_probing *p, uint32_t number) {
  const hr_mih_table *t = &p->mih->table[number];
  size_t starts[HR_MAX_BITS + 3];
  uint32_t nearest[HR_PENDING], reach = hr_collector_reach(p->collector);
  size_t count = hr_sort_by_distance(p->order, p->pendings, reach, starts, nearest);
  p->pendings = 0;
  for (size_t i = 0; i < AHEAD_HOME && i < count; i++)
    HR_PREFETCH(home_of(p, t, &p->pending[nearest[i]]));
  for (size_t i = 0; i < AHEAD_CODES && i < count; i++)
    fetch_codes(p, home_of(p, t, &p->pending[nearest[i]]));
  for (uint32_t i = 0, d = 0; i < count; i++) {
    while (i >= starts[d + 1]) d++; /* the distance of this one */
    if (d > hr_collector_reach(p->collector)) break;
    if (i + AHEAD_HOME < count) HR_PREFETCH(home_of(p, t, &p->pending[nearest[i + AHEAD_HOME]]));
    if (i + AHEAD_CODES < count)
      fetch_codes(p, home_of(p, t, &p->pending[nearest[i + AHEAD_CODES]]));
    if (!verify(p, t, &p->pending[nearest[i]])) return false;
    p->work->verified++;
  }
  return true;
}

static uint32_t sketch_distance(const uint32_t *a, const uint32_t *b, size_t words) {
  uint32_t distance = 0;
  for (size_t i = 0; i < words; i++) distance += hr_popcount(a[i] ^ b[i]);
  return distance;
}

/* Equal sketches lie side by side and are verified together: true for all but the first. */
static bool is_repeated(const uint32_t *sketch, size_t words) {
  return !memcmp(sketch, sketch - words, words * sizeof *sketch);
}

bool hr_probing_filter(hr_probing *p, uint32_t number, hr_bucket b, uint32_t radius) {
  const hr_mih_table *t = &p->mih->table[number];
  uint32_t words = p->mih->sketch_words, hits[HR_SKETCHES];
  const uint32_t *query = p->sketches + number * words;
  for (size_t from = b.from; from < b.to; from += HR_SKETCHES) {
    size_t count = hr_least(b.to - from, HR_SKETCHES);
    uint32_t reach = hr_collector_reach(p->collector);
    if (radius > reach) return true;
    size_t found = hr_active_kernels()->sketches(t->sketches + from * words, words, count, query,
                                                 reach - radius, hits);
    for (size_t i = 0; i < found; i++) {
      size_t at = from + hits[i];
      const uint32_t *sketch = t->sketches + at * words;
      if (at > b.from && is_repeated(sketch, words)) continue;
      uint32_t distance = radius + sketch_distance(sketch, query, words);
      if (distance > hr_collector_reach(p->collector)) continue;
      p->pending[p->pendings] = (hr_candidate){b.key, (uint32_t)at};
      p->order[p->pendings] = (uint64_t)distance << 32 | p->pendings;
      if (++p->pendings == p->enough && !hr_probing_verify(p, number)) return false;
    }
  }
  return true;
}
