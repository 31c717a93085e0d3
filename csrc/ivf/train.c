/* Centroids by k-majority: k-means of bits. Each bit of a centroid is that of most of its codes
 * (Grana et al., "A fast approach for integrating ORB descriptors in the bag of words model",
 * 2013). */
#include "base/memory.h"
#include "ivf/internal.h"
#include "storage/blocks.h"

/* Codes that look for their centroids together, so that a scan is tiled. */
#define TOGETHER ((size_t)256)
/* Later rounds move few codes. */
#define ROUNDS 5

/* The first centroid at the least distance: rows come ascending. */
static uint32_t nearest(const hr_collector *found) {
  for (size_t i = 0; i < found->size; i++)
    if (hr_taken_distance(found, i) == hr_collector_reach(found)) return hr_taken_item(found, i);
  return 0;
}

/* Looks for the centroids of `count` codes from one on. */
static hr_status assign_some(const hr_codes *codes, size_t from, hr_queries *queries,
                             const hr_source *source, hr_collector *const *each) {
  uint64_t *words = (uint64_t *)queries->words;
  for (size_t q = 0; q < queries->count; q++) {
    hr_words_gather(hr_code_at(codes->blocks, codes->words, from + q), codes->words,
                    words + q * codes->words);
    hr_collector_reset(each[q], UINT32_MAX);
  }
  return hr_scan(source, queries, each);
}

hr_status hr_ivf_assign(const hr_codes *codes, const hr_codes *centroids, const int *cancel,
                        uint32_t *list_of) {
  hr_work work = {0};
  uint64_t *words = hr_alloc(TOGETHER * codes->words, sizeof *words);
  hr_queries queries = {words, TOGETHER, codes->words, 1, UINT32_MAX, cancel, &work};
  hr_collector *collectors = hr_collectors_open(HR_ROWS, &queries), *each[TOGETHER];
  hr_source source = {.blocks = centroids->blocks,
                      .words = centroids->words,
                      .count = centroids->count,
                      .end = hr_block_count(centroids->count)};
  hr_status status = words && collectors ? HR_OK : HR_NO_MEMORY;
  for (size_t q = 0; !status && q < TOGETHER; q++) each[q] = &collectors[q];
  for (size_t from = 0; !status && from < codes->count; from += TOGETHER) {
    if (codes->count - from < TOGETHER) queries.count = codes->count - from;
    status = assign_some(codes, from, &queries, &source, each);
    for (size_t q = 0; !status && q < queries.count; q++) list_of[from + q] = nearest(each[q]);
  }
  hr_collectors_close(collectors, TOGETHER);
  free(words);
  return status;
}

/* Adds the bits of a code to 64 counters a word. */
static void count_bits(const uint64_t *code, size_t words, uint32_t *counts) {
  for (size_t w = 0; w < words; w++)
    for (size_t bit = 0; bit < 64; bit++)
      counts[w * 64 + bit] += (uint32_t)(code[w * HR_LANES] >> bit & 1);
}

static void take_majority(const uint32_t *counts, uint32_t size, size_t words, uint64_t *code) {
  for (size_t w = 0; w < words; w++) {
    uint64_t word = 0;
    for (size_t bit = 0; bit < 64; bit++)
      word |= (uint64_t)(counts[w * 64 + bit] > size / 2) << bit;
    code[w] = word;
  }
}

/* Moves each centroid to its codes; `counts` has 64 counters a word of each and one more. One
 * without codes stays. */
static void move(const hr_codes *sample, const uint32_t *list_of, const hr_codes *centroids,
                 uint32_t *counts) {
  size_t words = sample->words, width = words * 64 + 1;
  memset(counts, 0, centroids->count * width * sizeof *counts);
  for (size_t i = 0; i < sample->count; i++) {
    uint32_t *own = counts + list_of[i] * width;
    count_bits(hr_code_at(sample->blocks, words, i), words, own);
    own[words * 64]++;
  }
  for (size_t l = 0; l < centroids->count; l++) {
    const uint32_t *own = counts + l * width;
    uint64_t code[HR_MAX_BITS / 64];
    if (!own[words * 64]) continue;
    take_majority(own, own[words * 64], words, code);
    uint64_t *to = (uint64_t *)hr_code_at(centroids->blocks, words, l);
    for (size_t w = 0; w < words; w++) to[w * HR_LANES] = code[w];
  }
}

hr_status hr_ivf_train(const hr_codes *sample, const hr_codes *centroids, const int *cancel) {
  size_t words = sample->words;
  uint32_t *list_of = hr_alloc(sample->count, sizeof *list_of);
  uint32_t *counts = hr_alloc(centroids->count * (words * 64 + 1), sizeof *counts);
  hr_status status = list_of && counts ? HR_OK : HR_NO_MEMORY;
  for (size_t l = 0; l < centroids->count; l++)
    hr_blocks_put(centroids->blocks, words, l,
                  hr_code_at(sample->blocks, words, l * sample->count / centroids->count));
  for (int round = 0; !status && round < ROUNDS; round++) {
    status = hr_ivf_assign(sample, centroids, cancel, list_of);
    if (!status) move(sample, list_of, centroids, counts);
  }
  free(list_of);
  free(counts);
  return status;
}
