/* Making lists, and what the file has of them. */
#include "ivf/ivf.h"

#include "base/bisect.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "ivf/internal.h"
#include "storage/blocks.h"

/* A query compares the centroids and some of the lists: with many lists these are few. */
#define LISTS_SHARE 2 /* times the square root of the entries */
#define MAX_LISTS ((size_t)1 << 16)
/* Codes of each list that centroids are made of. */
#define TRAINED 32
/* Codes that may ask to measure the recall, of so many times as many. */
#define ASKING ((size_t)6000)
#define ASKING_SHARE 4
/* 2^32 by the golden ratio: multiples of it, modulo 2^32, are evenly spread however many are taken.
 */
#define GOLDEN 0x9E3779B9u

static size_t list_count(size_t entries) {
  size_t root = 1;
  while (root * root < entries) root++;
  return LISTS_SHARE * root < MAX_LISTS ? LISTS_SHARE * root : MAX_LISTS;
}

static hr_status open_ivf(const hr_postings *postings, hr_ivf **out) {
  hr_ivf *ivf = *out = hr_alloc_zero(1, sizeof *ivf);
  if (!ivf) return HR_NO_MEMORY;
  size_t lists = list_count(postings->entries);
  ivf->head.lists = (uint32_t)lists;
  ivf->entries = postings->entries;
  ivf->words = postings->words;
  ivf->centroids = hr_blocks_alloc(lists, ivf->words);
  ivf->starts = hr_alloc_zero(lists + 1, sizeof *ivf->starts);
  return ivf->centroids && ivf->starts ? HR_OK : HR_NO_MEMORY;
}

void hr_ivf_free(hr_ivf *ivf) {
  if (!ivf) return;
  if (!ivf->borrowed) {
    hr_free_aligned(ivf->centroids);
    free(ivf->starts);
  }
  free(ivf);
}

size_t hr_ivf_bytes(const hr_ivf *ivf) {
  size_t lists = ivf->head.lists;
  return sizeof *ivf + hr_block_bytes(lists, ivf->words) + (lists + 1) * sizeof *ivf->starts;
}

static size_t entry_at(const hr_postings *postings, size_t position) {
  if (!postings->starts) return position;
  size_t entry = 0;
  HR_BISECT(entry, postings->entries, e, postings->starts[e + 1] <= position);
  return entry;
}

/* Marks the entries of the rows that ask, spread over the order of the codes as the first of them
 * are, and copies their codes. */
static void take_asking(const hr_postings *postings, size_t most, uint8_t *marks,
                        hr_codes *asking) {
  for (; asking->count < most; asking->count++) {
    uint64_t share = (uint32_t)(asking->count * GOLDEN);
    size_t entry = entry_at(postings, (size_t)(share * postings->rows.count >> 32));
    hr_set_bit(marks, entry);
    hr_blocks_put(asking->blocks, asking->words, asking->count, hr_postings_entry(postings, entry));
  }
}

/* Codes to make centroids of, at most `most`, evenly spaced in their order, but those that ask. */
static void take_sample(const hr_postings *postings, size_t most, const uint8_t *marks,
                        hr_codes *sample) {
  size_t others = 0, seen = 0;
  for (size_t e = 0; e < postings->entries; e++) others += !hr_bit(marks, e);
  if (most > others) most = others;
  for (size_t e = 0; sample->count < most; e++) {
    if (hr_bit(marks, e) || seen++ < sample->count * others / most) continue;
    hr_blocks_put(sample->blocks, sample->words, sample->count++, hr_postings_entry(postings, e));
  }
}

/* Makes the centroids, and sets aside codes that are not in them to measure the recall with. */
static hr_status train(hr_ivf *ivf, const hr_postings *postings, hr_codes *asking,
                       const int *cancel) {
  size_t most = ivf->head.lists * (size_t)TRAINED, ask = postings->rows.count / ASKING_SHARE;
  if (most > postings->entries) most = postings->entries;
  if (ask > ASKING) ask = ASKING;
  uint8_t *marks = hr_alloc_zero(hr_block_count(postings->entries), 1);
  hr_codes centroids = {ivf->centroids, ivf->words, ivf->head.lists};
  hr_codes sample = {hr_blocks_alloc(most, ivf->words), ivf->words, 0};
  *asking = (hr_codes){hr_blocks_alloc(ask, ivf->words), ivf->words, 0};
  hr_status status = marks && sample.blocks && asking->blocks ? HR_OK : HR_NO_MEMORY;
  if (!status) {
    take_asking(postings, ask, marks, asking);
    take_sample(postings, most, marks, &sample);
    status = hr_ivf_train(&sample, &centroids, cancel);
  }
  hr_free_aligned(sample.blocks);
  free(marks);
  return status;
}

/* --- grouping ------------------------------------------------------------------- */

/* A copy of what is to be grouped. */
typedef struct {
  uint64_t *blocks;
  uint32_t *order, *starts;
} grouped;

static bool open_grouped(const hr_postings *postings, grouped *g) {
  *g = (grouped){.blocks = hr_blocks_alloc(postings->entries, postings->words),
                 .order = hr_alloc_aligned(postings->rows.count * sizeof *g->order)};
  if (postings->starts) g->starts = hr_alloc(postings->entries + 1, sizeof *g->starts);
  return g->blocks && g->order && (g->starts || !postings->starts);
}

static void close_grouped(grouped *g) {
  hr_free_aligned(g->blocks);
  hr_free_aligned(g->order);
  free(g->starts);
}

/* Entries in the order of their lists: from[i] is the old number of entry i. */
static void deal(hr_ivf *ivf, const uint32_t *list_of, uint32_t *from) {
  for (size_t e = 0; e < ivf->entries; e++) ivf->starts[list_of[e] + 1]++;
  hr_starts(ivf->starts, ivf->head.lists);
  for (size_t e = 0; e < ivf->entries; e++) from[ivf->starts[list_of[e]]++] = (uint32_t)e;
  hr_starts_again(ivf->starts, ivf->head.lists);
}

/* Leaves in `g` what was there before. */
static void regroup(hr_postings *postings, const uint32_t *from, grouped *g) {
  size_t position = 0;
  for (size_t e = 0; e < postings->entries; e++) {
    size_t old = hr_postings_start(postings, from[e]),
           end = hr_postings_start(postings, from[e] + 1);
    hr_blocks_put(g->blocks, postings->words, e, hr_postings_entry(postings, from[e]));
    if (g->starts) g->starts[e] = (uint32_t)position;
    for (; old < end; old++) g->order[position++] = postings->order[old];
  }
  if (g->starts) g->starts[postings->entries] = (uint32_t)position;
  grouped before = {postings->blocks, postings->order, postings->starts};
  postings->blocks = g->blocks;
  postings->order = g->order;
  postings->starts = g->starts;
  *g = before;
}

static hr_status group(hr_ivf *ivf, hr_postings *postings, const int *cancel) {
  hr_codes codes = {postings->blocks, postings->words, postings->entries};
  hr_codes centroids = {ivf->centroids, ivf->words, ivf->head.lists};
  uint32_t *list_of = hr_alloc(ivf->entries, sizeof *list_of);
  uint32_t *from = hr_alloc(ivf->entries, sizeof *from);
  grouped g;
  bool room = open_grouped(postings, &g) && list_of && from;
  hr_status status = room ? hr_ivf_assign(&codes, &centroids, cancel, list_of) : HR_NO_MEMORY;
  if (!status) {
    deal(ivf, list_of, from);
    regroup(postings, from, &g);
  }
  close_grouped(&g);
  free(list_of);
  free(from);
  return status;
}

hr_status hr_ivf_build(hr_postings *postings, uint32_t recall, const int *cancel, hr_ivf **out) {
  *out = NULL;
  if (postings->entries <= HR_IVF_LEAST || recall >= HR_MAX_RECALL) return HR_OK;
  hr_codes asking = {0};
  hr_status status = open_ivf(postings, out);
  if (!status) status = train(*out, postings, &asking, cancel);
  if (!status) status = group(*out, postings, cancel);
  if (!status) status = hr_ivf_tune(*out, postings, &asking, recall, cancel);
  hr_free_aligned(asking.blocks);
  if (!status) return HR_OK;
  hr_ivf_free(*out);
  *out = NULL;
  return status;
}

/* --- files ---------------------------------------------------------------------- */

static size_t starts_bytes(size_t lists) {
  size_t bytes = (lists + 1) * sizeof(uint32_t);
  return (bytes + HR_ALIGNMENT - 1) / HR_ALIGNMENT * HR_ALIGNMENT;
}

void hr_ivf_parts(const hr_ivf *ivf, hr_span parts[HR_IVF_PARTS]) {
  size_t lists = ivf->head.lists;
  parts[0] = (hr_span){&ivf->head, sizeof ivf->head};
  parts[1] = (hr_span){ivf->centroids, hr_block_bytes(lists, ivf->words)};
  parts[2] = (hr_span){ivf->starts, (lists + 1) * sizeof *ivf->starts};
}

static bool levels_fit(const hr_ivf_head *head) {
  for (int i = 0; i < HR_IVF_LEVELS; i++) {
    const hr_ivf_level *level = &head->level[i];
    if (level->dial > HR_IVF_MAX_DIAL && level->dial != HR_IVF_SCAN) return false;
    if (level->low > HR_MAX_RECALL || level->recall > HR_MAX_RECALL || level->high > HR_MAX_RECALL)
      return false;
    if (level->k && i && level->k <= head->level[i - 1].k) return false;
  }
  return true;
}

/* Takes as long as there are lists, and is done for mapped files too: a search goes by them. */
static bool starts_fit(const hr_ivf *ivf) {
  const uint32_t *starts = ivf->starts;
  size_t lists = ivf->head.lists;
  if (starts[0] || starts[lists] != ivf->entries) return false;
  for (size_t l = 0; l < lists; l++)
    if (starts[l] > starts[l + 1]) return false;
  return true;
}

static bool attach(hr_ivf *ivf, const hr_postings *postings, const void *data, size_t size) {
  if (size < sizeof ivf->head) return false;
  memcpy(&ivf->head, data, sizeof ivf->head);
  size_t lists = ivf->head.lists, blocks = hr_block_bytes(lists, postings->words);
  if (!lists || lists > MAX_LISTS || size != sizeof ivf->head + blocks + starts_bytes(lists))
    return false;
  ivf->borrowed = true;
  ivf->entries = postings->entries;
  ivf->words = postings->words;
  ivf->centroids = (uint64_t *)((const uint8_t *)data + sizeof ivf->head);
  ivf->starts = (uint32_t *)(ivf->centroids + blocks / sizeof *ivf->centroids);
  return levels_fit(&ivf->head) && starts_fit(ivf);
}

hr_status hr_ivf_open(const hr_postings *postings, const void *data, size_t size, hr_ivf **out) {
  hr_ivf *ivf = hr_alloc_zero(1, sizeof *ivf);
  if (!ivf) return HR_NO_MEMORY;
  ivf->borrowed = true;
  if (!attach(ivf, postings, data, size)) {
    hr_ivf_free(ivf);
    return HR_BAD_FORMAT;
  }
  *out = ivf;
  return HR_OK;
}
