/* Inside of an inverted file. */
#ifndef HR_IVF_INTERNAL_H
#define HR_IVF_INTERNAL_H

#include "ivf/probe.h"

/* Dials are tuned for so many numbers of neighbours: one of 1, 10, 100, 1000 serves all up to it.
 */
#define HR_IVF_LEVELS 4
/* In place of a dial: all codes are compared. */
#define HR_IVF_SCAN UINT32_MAX
#define HR_IVF_MAX_DIAL 65536u
/* Lists pay while a query compares less than one in so many codes. */
#define HR_IVF_SHARE 2

/* As in the file. Shares are millionths. */
typedef struct {
  uint32_t k, dial;           /* k = 0: not tuned */
  uint32_t recall, low, high; /* measured, with a 95% interval */
  uint32_t reach;             /* the mean k-th distance */
  uint64_t compared;          /* codes a query, centroids included */
} hr_ivf_level;

typedef struct {
  uint32_t lists;
  uint32_t queries[HR_IVF_LEVELS]; /* that the recall was measured with */
  uint32_t reserved[11];
  hr_ivf_level level[HR_IVF_LEVELS];
} hr_ivf_head;

_Static_assert(sizeof(hr_ivf_head) == 192, "the head has no padding");

struct hr_ivf {
  hr_ivf_head head;
  size_t entries, words;
  uint64_t *centroids; /* in blocks, as kernels.h says */
  uint32_t *starts;    /* list l has the entries starts[l] .. starts[l + 1] - 1 */
  bool borrowed;       /* centroids and starts belong to a file's bytes */
};

/* Codes in blocks. */
typedef struct {
  uint64_t *blocks;
  size_t words, count;
} hr_codes;

/* The number of each code's nearest centroid, the first of equally near ones. */
hr_status hr_ivf_assign(const hr_codes *codes, const hr_codes *centroids, const int *cancel,
                        uint32_t *list_of);
/* Makes centroids of a sample. */
hr_status hr_ivf_train(const hr_codes *sample, const hr_codes *centroids, const int *cancel);

/* As hr_ivf_search, with this dial. */
typedef struct {
  const hr_ivf *ivf;
  const hr_source *source;
  uint32_t dial;
} hr_ivf_target;
hr_status hr_ivf_probe(const hr_ivf_target *target, const hr_queries *queries,
                       hr_collector *collectors);

/* What a list added to an answer: `gain` of the rows that a query is to find, at any dial that
 * leads to the list. */
typedef struct {
  uint32_t query, dial, gain;
} hr_ivf_event;

typedef struct {
  hr_ivf_event *list;
  size_t size, capacity;
} hr_ivf_events;

/* Looks into list after list, until all `k` rows within distances[q] of query q are found or half
 * of all codes are compared, and notes what each list added. */
hr_status hr_ivf_trace(const hr_ivf_target *target, const hr_queries *queries,
                       const uint16_t *distances, hr_ivf_events *events);

/* How many of the first k results lie within a distance: asked after each list, so it goes from the
 * count of what is nearer than the limit, which soon lies close to the distance. */
static inline uint32_t hr_ivf_count_within(const hr_collector *found, uint32_t distance) {
  uint64_t rows = found->nearer;
  for (uint32_t d = distance + 1; d < found->limit; d++) rows -= found->counts[d];
  if (distance >= found->limit && hr_collector_full(found)) rows += found->counts[found->limit];
  return (uint32_t)(rows < found->k ? rows : found->k);
}

/* Sets the dials for a recall, by codes of the index that ask for their neighbours: the first ones,
 * as many as each level takes. */
hr_status hr_ivf_tune(hr_ivf *ivf, const hr_postings *postings, const hr_codes *asking,
                      uint32_t recall, const int *cancel);

#endif
