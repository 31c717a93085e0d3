/* A guess at the distance of the k-th nearest row, from a sample.
 *
 * A hit costs about 12 ns from the kernel to the result, a row passed over 0.08
 * ns (64 bits, batch, AVX-512 at 2.3 GHz), and k (1 + ln(n / k)) rows are below
 * the running limit when they come: 7,900 for k = 1000 of a million. A threshold
 * that c k rows are below leaves k (1 + ln c), here 1,900. It is guessed from the
 * distances of up to 8,192 rows, half a nanosecond each, one block here and there so
 * that clusters stored side by side do not mislead it. Should fewer than k rows turn
 * out to be below it, which happens to one query in five hundred for rows in
 * random order, that query has to be searched again without. In all k = 1000 costs
 * 1.5 times what k = 10 does, and without thresholds 2.6 times. A sample of 512 rows tells
 * enough: of 4,000 to 16,000 rows k = 100 takes two thirds of the time that it does without.
 *
 * Among sorted codes the limit falls wherever the scan comes nearer to the query: twice
 * as many rows are below it when they come (60,000 codes of images, k = 100: 1,185 and 624;
 * 309 with a threshold), so that a threshold pays for fewer results.
 */
#ifndef HR_THRESHOLD_H
#define HR_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR_SAMPLE_BLOCKS ((size_t)1024)

/* Evenly spaced blocks side by side, with their rows' permissions. */
typedef struct {
  uint64_t *blocks;
  uint16_t *distances;
  size_t words, count, among; /* `count` blocks stand for so many */
  bool filtered;
  uint8_t allow[HR_SAMPLE_BLOCKS];
} hr_sample;

/* Whether a threshold saves more than it costs; `sorted`: by code. */
bool hr_sample_pays(size_t k, size_t blocks, bool sorted);

/* Of blocks [first, end) of a scan; allow: a bit a row, or NULL. False when out of memory. To be
 * closed in any case. `sample` has its `words` already. */
bool hr_sample_open(hr_sample *sample, const uint64_t *blocks, size_t first, size_t end,
                    const uint8_t *allow);
void hr_sample_close(hr_sample *sample);

/* A distance below which there are probably k rows, or `none`. */
uint32_t hr_sample_threshold(const hr_sample *sample, const uint64_t *query, size_t k,
                             uint32_t none);

#endif
