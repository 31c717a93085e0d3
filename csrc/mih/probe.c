/* Rings of buckets around a query, the cheapest next. */
#include "mih/internal.h"

#include "base/memory.h"
#include "kernels/dispatch.h"
#include "scan/scan.h"

/* Buckets on their way from memory together. */
#define FLIGHT 16

#define FEWEST_PENDING 32

static bool visit_codes(const hr_walk *w, hr_bucket b) {
  const hr_postings *sorted = w->mih->sorted;
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
    size_t found = kernels->scan(&pass, hits);
    for (size_t i = 0; i < found; i++) {
      uint32_t entry = hits[i].row;
      if (entry < b.from || entry >= b.to ||
          !hr_walk_first_seen(w, hr_postings_entry(sorted, entry)))
        continue;
      if (!hr_postings_offer(sorted, entry, hits[i].distance, w->allow, w->top)) return false;
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

static size_t take_keys(masks *m, const hr_mih_table *t, uint32_t own, hr_bucket *out) {
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

static void fetch_bucket(const hr_walk *w, const hr_mih_table *t, const hr_bucket *b) {
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

static void find_buckets(const hr_walk *w, const hr_mih_table *t, hr_bucket *buckets, size_t n) {
  size_t entries = w->mih->sorted->entries;
  for (size_t i = 0; i < n; i++) {
    hr_bucket *b = &buckets[i];
    b->from = t->directory[b->key];
    b->to = (uint32_t)hr_least(t->directory[b->key + 1], entries);
    if (b->from >= b->to) b->from = b->to = 0;
    b->to = b->from + ((b->to - b->from) >> w->shortened);
    fetch_bucket(w, t, b);
  }
}

static bool visit(hr_walk *w, uint32_t number, uint32_t ring, const hr_bucket *buckets, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (buckets[i].from == buckets[i].to) continue;
    uint32_t codes = buckets[i].to - buckets[i].from;
    w->work->candidates += codes;
    if (codes > HR_FETCHED_CODES) w->work->streamed += codes - HR_FETCHED_CODES;
    bool ok =
        number ? hr_walk_visit_sketches(w, number, buckets[i], ring) : visit_codes(w, buckets[i]);
    if (!ok) return false;
  }
  w->work->buckets += n;
  return true;
}

/* Three flights are under way: keys whose directory entries are fetched, buckets whose
 * codes are fetched, and buckets that are visited. */
static hr_status walk_ring(hr_walk *w, uint32_t number) {
  const hr_mih_table *t = &w->mih->table[number];
  uint32_t ring = w->rings[number];
  uint64_t candidates = w->work->candidates, buckets = w->work->buckets;
  masks m = masks_open(t->prefix, ring);
  hr_bucket flights[3][FLIGHT];
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
  if (w->pendings && !hr_walk_settle(w, number)) return HR_NO_MEMORY;
  w->rings[number]++;
  w->length[number] =
      (double)(w->work->candidates - candidates) / (double)(w->work->buckets - buckets);
  return HR_OK;
}

/* --- a query ------------------------------------------------------------------------ */

static const hr_costs typical = {
    .block = 2, .grouped = 0.5, .bucket = 100, .code = 1, .found = 100};

const hr_costs *hr_costs_typical(void) { return &typical; }

static double bucket_length(const hr_mih *mih, uint32_t number, uint32_t key) {
  const uint32_t *own = mih->table[number].directory + key;
  size_t from = hr_least(own[0], mih->sorted->entries), to = hr_least(own[1], mih->sorted->entries);
  return to > from ? (double)(to - from) : 0;
}

static void open_walk(hr_walk *w, const hr_mih *mih, const uint64_t *query, uint32_t *sketches,
                      hr_collector *top, hr_mih_work *work) {
  *work = (hr_mih_work){0};
  w->mih = mih;
  w->query = query;
  w->allow = NULL;
  w->cancel = NULL;
  w->top = top;
  w->work = work;
  w->sketches = sketches;
  w->pendings = 0;
  w->promised = 0;
  w->shortened = 0;
  w->enough = top->k < FEWEST_PENDING ? FEWEST_PENDING : top->k < HR_PENDING ? top->k : HR_PENDING;
  memset(w->rings, 0, sizeof w->rings);
  for (uint32_t i = 0; i < mih->tables; i++) {
    w->keys[i] = hr_mih_key(&mih->table[i], query, 1);
    w->length[i] = bucket_length(mih, i, w->keys[i]);
    hr_mih_sketch(&mih->table[i], mih->sorted->rows.bits, query, 1, mih->sketch_words,
                  w->sketches + (size_t)i * mih->sketch_words);
  }
}

static uint32_t radius_seen(const hr_walk *w) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < w->mih->tables; i++) {
    if (w->rings[i] > w->mih->table[i].prefix) return w->mih->sorted->rows.bits;
    sum += w->rings[i];
  }
  return sum - 1;
}

/* Room for the sketches of any query in all tables. */
#define QUERY_SKETCHES (HR_MIH_MAX_TABLES * HR_MAX_BITS / 32)

static void step(hr_walk *w, const hr_costs *costs, uint32_t *next, double *cost) {
  *next = hr_walk_cheapest(w, costs ? costs : &typical, w->rings, cost);
}

hr_status hr_mih_search(const hr_mih *mih, const uint64_t *query, const uint8_t *allow,
                        const int *cancel, const hr_budget *patience, hr_collector *top,
                        hr_mih_work *work) {
  uint32_t sketches[QUERY_SKETCHES], next;
  hr_walk w; /* its lists are large and need not be cleared */
  open_walk(&w, mih, query, sketches, top, work);
  w.allow = allow;
  w.cancel = cancel;
  hr_status status = HR_OK;
  while (!status && !hr_walk_complete(&w, w.rings, top->limit)) {
    double cost;
    step(&w, patience ? patience->costs : NULL, &next, &cost);
    if (patience && !hr_walk_pays(&w, patience, cost)) {
      work->gave_up = true;
      break;
    }
    status = walk_ring(&w, next);
  }
  if (patience) work->foreseen = hr_walk_spent(&w, patience->costs);
  work->radius = radius_seen(&w);
  return status;
}

hr_status hr_mih_trial(const hr_mih *mih, const uint64_t *query, uint64_t buckets,
                       uint32_t shortened, hr_collector *top, hr_mih_work *work) {
  uint32_t sketches[QUERY_SKETCHES], next;
  hr_walk w;
  hr_collector_reset(top, hr_mih_usual_radius(mih->sorted->rows.bits, mih->sorted->entries));
  open_walk(&w, mih, query, sketches, top, work);
  w.shortened = shortened;
  hr_status status = HR_OK;
  while (!status && work->buckets < buckets && !hr_walk_complete(&w, w.rings, top->farthest)) {
    double cost;
    step(&w, NULL, &next, &cost);
    status = walk_ring(&w, next);
  }
  return status;
}
