/* One query on its way through the tables. */
#include "mih/probe.h"

#include <string.h>

#include "base/cancel.h"
#include "kernels/dispatch.h"
#include "mih/internal.h"

/* Buckets on their way from memory together. */
#define FLIGHT 16

#define FEWEST_PENDING 32

/* A bucket of table 0, which holds codes. */
static bool compare_codes(const hr_probing *p, hr_bucket b) {
  const hr_postings *postings = p->mih->postings;
  const hr_kernels *kernels = hr_active_kernels();
  hr_hit hits[HR_HITS];
  hr_pass pass = {.blocks = postings->blocks,
                  .words = postings->words,
                  .block = b.from / HR_LANES,
                  .end = hr_block_count(b.to),
                  .query = {p->query},
                  .queries = 1};
  while (pass.block < pass.end) {
    pass.limit[0] = hr_collector_bar(p->collector);
    size_t found = kernels->scan(&pass, hits);
    for (size_t i = 0; i < found; i++) {
      uint32_t entry = hits[i].row;
      if (entry < b.from || entry >= b.to ||
          hr_probing_has_seen(p, hr_postings_entry(postings, entry), HR_LANES, postings->rows.bits))
        continue;
      if (!hr_collector_offer_entry(p->collector, postings, entry, hits[i].distance, p->allow))
        return false;
    }
  }
  return true;
}

/* Masks of as many ones, in rising order. */
typedef struct {
  uint32_t mask, end;
  bool over;
} masks;

static size_t take_keys(masks *m, const hr_mih_table *t, uint32_t own, hr_bucket *out) {
  size_t n = 0;
  for (; n < FLIGHT && !m->over; n++) {
    out[n].key = own ^ m->mask;
    HR_PREFETCH(t->directory + out[n].key);
    m->over = m->mask == m->end;
    if (!m->over) m->mask = (uint32_t)hr_next_combination(m->mask);
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

static void fetch_bucket(const hr_probing *p, const hr_mih_table *t, const hr_bucket *b) {
  const hr_mih *mih = p->mih;
  if (t->sketches) {
    fetch_lines((const char *)(t->sketches + (size_t)b->from * hr_mih_width(mih)),
                (const char *)(t->sketches + (size_t)b->to * hr_mih_width(mih)));
  } else {
    size_t block = mih->postings->words * HR_LANES;
    fetch_lines((const char *)(mih->postings->blocks + b->from / HR_LANES * block),
                (const char *)(mih->postings->blocks + (b->to / HR_LANES + 1) * block));
  }
}

static void find_buckets(const hr_probing *p, const hr_mih_table *t, hr_bucket *buckets, size_t n) {
  size_t entries = p->mih->postings->entries;
  for (size_t i = 0; i < n; i++) {
    hr_bucket *b = &buckets[i];
    b->from = t->directory[b->key];
    b->to = (uint32_t)hr_least(t->directory[b->key + 1], entries);
    if (b->from >= b->to) b->from = b->to = 0;
    fetch_bucket(p, t, b);
  }
}

static bool visit_bucket(hr_probing *p, uint32_t number, hr_bucket bucket) {
  if (!number) return compare_codes(p, bucket);
  if (hr_mih_refers(p->mih)) return hr_probing_refer(p, &p->mih->table[number], bucket);
  return hr_probing_filter(p, number, bucket, p->next[number]);
}

static bool visit(hr_probing *p, uint32_t number, const hr_bucket *buckets, size_t n) {
  bool in_place = !number || !hr_mih_refers(p->mih);
  for (size_t i = 0; i < n; i++) {
    if (buckets[i].from == buckets[i].to) continue;
    uint32_t codes = buckets[i].to - buckets[i].from;
    p->work->checked += codes;
    if (in_place && codes > HR_FETCHED_CODES) p->work->streamed += codes - HR_FETCHED_CODES;
    if (!visit_bucket(p, number, buckets[i])) return false;
  }
  p->work->probed += n;
  return true;
}

/* Looks into all buckets at the next radius of a table. Three flights are under way: keys whose
 * directory entries are fetched, buckets whose codes are fetched, and buckets that are visited. */
static hr_status probe_table(hr_probing *p, uint32_t number) {
  const hr_mih_table *t = &p->mih->table[number];
  uint64_t checked = p->work->checked, probed = p->work->probed;
  uint32_t ones = p->next[number], first = ((uint32_t)1 << ones) - 1;
  masks m = {.mask = first, .end = first << (t->prefix - ones)};
  hr_bucket flights[3][FLIGHT];
  size_t sizes[3] = {0};
  for (size_t turn = 0;; turn++) {
    size_t newest = turn % 3, middle = (turn + 2) % 3, oldest = (turn + 1) % 3;
    if (!visit(p, number, flights[oldest], sizes[oldest])) return HR_NO_MEMORY;
    sizes[newest] = take_keys(&m, t, p->keys[number], flights[newest]);
    find_buckets(p, t, flights[middle], sizes[middle]);
    sizes[oldest] = 0;
    if (!sizes[newest] && !sizes[middle]) break;
    if (hr_cancelled(p->cancel)) return HR_CANCELLED;
  }
  if (p->pendings && !hr_probing_verify(p, number)) return HR_NO_MEMORY;
  if (p->referreds && !hr_probing_compare(p)) return HR_NO_MEMORY;
  p->next[number]++;
  p->length[number] = (double)(p->work->checked - checked) / (double)(p->work->probed - probed);
  return HR_OK;
}

static double bucket_length(const hr_mih *mih, uint32_t number, uint32_t key) {
  const uint32_t *own = mih->table[number].directory + key;
  size_t entries = mih->postings->entries;
  size_t from = hr_least(own[0], entries), to = hr_least(own[1], entries);
  return to > from ? (double)(to - from) : 0;
}

/* Room for the sketches of any query in all tables. */
#define QUERY_SKETCHES (HR_MIH_MAX_TABLES * HR_MAX_BITS / 32)

/* Its lists are large and not cleared. */
static void begin(hr_probing *p, const hr_mih *mih, const hr_queries *query, uint32_t *sketches,
                  hr_collector *collector) {
  size_t k = collector->k;
  p->mih = mih;
  p->query = query->words;
  p->allow = NULL;
  p->cancel = query->cancel;
  p->collector = collector;
  p->work = query->work;
  p->sketches = sketches;
  p->pendings = p->referreds = 0;
  p->estimate = 0;
  p->enough = k < FEWEST_PENDING ? FEWEST_PENDING : k < HR_PENDING ? k : HR_PENDING;
  memset(p->next, 0, sizeof p->next);
  for (uint32_t i = 0; i < mih->tables; i++) {
    const hr_mih_table *t = &mih->table[i];
    p->keys[i] = hr_mih_key(t, p->query, 1);
    p->length[i] = bucket_length(mih, i, p->keys[i]);
    hr_sketching s = {mih->postings->rows.bits, t->start, t->prefix, mih->sketch_words};
    hr_mih_sketch(s, p->query, 1, sketches + (size_t)i * s.words);
  }
}

static uint32_t radius_seen(const hr_probing *p) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < p->mih->tables; i++) {
    if (p->next[i] > p->mih->table[i].prefix) return p->mih->postings->rows.bits;
    sum += p->next[i];
  }
  return sum - 1;
}

/* Within a budget at first the own bucket of table 0, unless that is a long one: its codes are
 * compared where they lie. Those of another are fetched one by one, which may cost more than the
 * scan to which it is compared. */
#define LONG_BUCKET 2

static uint32_t next_table(const hr_probing *p, const hr_budget *budget) {
  uint32_t cheapest = hr_probing_cheapest(p, p->price);
  bool first = budget && !p->work->probed;
  return first && p->price[0] < LONG_BUCKET * p->price[cheapest] ? 0 : cheapest;
}

hr_status hr_probe(const hr_mih *mih, const hr_queries *query, const uint8_t *allow,
                   hr_budget *budget, hr_collector *collector) {
  uint32_t sketches[QUERY_SKETCHES];
  hr_probing p;
  begin(&p, mih, query, sketches, collector);
  p.allow = allow;
  hr_costs costs = hr_mih_costs(mih, budget ? budget->costs : &hr_typical_costs);
  hr_status status = HR_OK;
  for (uint32_t i = 0; i < mih->tables; i++) p.price[i] = hr_probing_price(&p, &costs, i, 0);
  while (!status && !hr_probing_complete(&p, p.next, hr_collector_reach(collector))) {
    uint32_t number = next_table(&p, budget);
    if (budget && !hr_probing_pays(&p, budget, &costs, number)) {
      budget->abandoned = true;
      break;
    }
    status = probe_table(&p, number);
    p.price[number] = hr_probing_price(&p, &costs, number, p.next[number]);
  }
  p.work->radius = radius_seen(&p);
  return status;
}
