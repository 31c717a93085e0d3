/* Costs of bits. Sums of them are exact, callers have rounded them for that, so that the order of
 * adding does not matter. */
#include "rank/costs.h"

#include <math.h>

#define MOST_WORDS (HR_MAX_BITS / 64)

int32_t hr_most_within(const double *least, uint32_t most, hr_spending spending) {
  int32_t low = -1, high = (int32_t)most;
  while (low < high) {
    int32_t middle = low + (high - low + 1) / 2;
    double share = spending.share * least[middle];
    if (spending.spent + share <= spending.limit)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/* A little more than a limit: sums may have been rounded otherwise. */
#define SLACK (1 + 1e-9)

/* Takes the bits that cost least, of prefix and rest. */
uint32_t hr_most_of_all(const hr_ranked_query *query, double limit) {
  uint32_t own = query->prefixes->bits, rest = query->bits - own, i = 0, j = 0;
  double share = query->prefixes->share;
  for (; i + j < query->bits;) {
    double prefix = i < own ? share * query->prefix_least[i + 1] : INFINITY;
    double other = j < rest ? query->rest_least[j + 1] : INFINITY;
    bool first = prefix - share * query->prefix_least[i] < other - query->rest_least[j];
    double sum = first ? prefix + query->rest_least[j] : share * query->prefix_least[i] + other;
    if (sum > limit * SLACK) break;
    i += first;
    j += !first;
  }
  return i + j;
}

/* Bits 4i to 4i + 3 are a half of a byte, the first of them its highest. */
void hr_costs_sum(const double *costs, uint32_t from, uint32_t end, double *sums) {
  memset(sums, 0, HR_SUMS(((size_t)end + 63) / 64) * sizeof *sums);
  for (uint32_t bit = from; bit < end; bit++) {
    double *of_half = sums + bit / 4 * 16;
    uint32_t mask = 8u >> bit % 4;
    for (uint32_t value = 0; value < 16; value++)
      if (value & mask) of_half[value] += costs[bit];
  }
}

/* Of the bits that differ in a word, 16 halves of bytes. */
static double sum_of(const double *sums, uint64_t differing) {
  double sum = 0;
  uint64_t bits = hr_swap_bytes(differing);
  for (size_t half = 0; half < 16; half++) sum += sums[half * 16 + (bits >> (60 - 4 * half) & 15)];
  return sum;
}

double hr_prefix_cost(const hr_ranked_query *query, const uint64_t *prefix, size_t stride,
                      uint32_t differ) {
  double sum = 0;
  if (!query->prefix_sums) return query->prefix_least[differ];
  for (size_t w = 0; w < query->prefixes->words; w++)
    sum += sum_of(query->prefix_sums + w * 256, prefix[w * stride] ^ query->prefix[w]);
  return sum;
}

double hr_rest_cost(const hr_ranked_query *query, const uint64_t *code, uint32_t differ) {
  if (!query->rest_sums) return query->rest_least[differ];
  size_t words = ((size_t)query->bits + 63) / 64;
  double sum = 0;
  for (size_t w = query->prefixes->bits / 64; w < words; w++)
    sum += sum_of(query->rest_sums + w * 256, code[w * HR_LANES] ^ query->words[w]);
  return sum;
}

static uint32_t count_differing(const hr_ranked_query *query, const uint64_t *prefix) {
  uint32_t differ = 0;
  for (size_t w = 0; w < query->prefixes->words; w++)
    differ += hr_popcount(prefix[w] ^ query->prefix[w]);
  return differ;
}

bool hr_code_within(const hr_ranked_query *query, const uint64_t *code, uint32_t differ,
                    hr_bounds bounds, double *distance) {
  uint64_t prefix[MOST_WORDS];
  hr_prefix_take(query->prefixes, code, HR_LANES, prefix);
  uint32_t of_prefix = count_differing(query, prefix);
  double least = query->prefixes->share * query->prefix_least[of_prefix];
  if (of_prefix < bounds.prefix_differ) return false;
  /* Unused bits of a damaged file may differ, too. */
  if (differ - of_prefix > query->bits - query->prefixes->bits) return false;
  if (least + query->rest_least[differ - of_prefix] > bounds.limit) return false;
  double cost = hr_prefix_cost(query, prefix, 1, of_prefix);
  double shared = hr_shared_cost(query, hr_prefix_snap(query->prefixes, prefix), cost);
  *distance = shared + hr_rest_cost(query, code, differ - of_prefix);
  return *distance <= bounds.limit;
}
