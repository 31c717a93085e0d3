/* What it costs by a ranking rule that bits differ: of a query's prefix, and of the rest. */
#ifndef HR_COSTS_H
#define HR_COSTS_H

#include "rank/prefixes.h"

typedef struct {
  const hr_prefixes *prefixes;
  const uint64_t *words, *prefix; /* of the query; its prefix */
  uint32_t bits, own_class;
  /* The least that so many different bits cost: what they cost if there are no `costs`. */
  const double *prefix_least, *rest_least;
  /* NULL; or what each bit costs, summed up for each value of a byte's halves: of bits 4i to 4i + 3
   * costs[16 i + value], separately of the prefix and of the rest. */
  const double *prefix_sums, *rest_sums;
  const double *cells; /* NULL; or what codes at each centre cost */
} hr_ranked_query;

/* Room for the sums of a code of so many words. */
#define HR_SUMS(words) ((words) * 16 * 16)
/* Sums of the costs of bits [from, end), others cost nothing. */
void hr_costs_sum(const double *costs, uint32_t from, uint32_t end, double *sums);

/* What may be spent. */
typedef struct {
  double spent, share, limit;
} hr_spending;

/* How many bits may differ, of `most`, so that spent + share * least is within the limit; -1: too
 * much is spent already. */
int32_t hr_most_within(const double *least, uint32_t most, hr_spending spending);

/* What `differ` bits of a prefix cost, its words `stride` apart. */
double hr_prefix_cost(const hr_ranked_query *query, const uint64_t *prefix, size_t stride,
                      uint32_t differ);
/* What `differ` bits after the prefix cost, of a code whose words are HR_LANES apart. */
double hr_rest_cost(const hr_ranked_query *query, const uint64_t *code, uint32_t differ);

/* How many bits of a whole code may differ at most, wherever they are, within a limit. */
uint32_t hr_most_of_all(const hr_ranked_query *query, double limit);

/* Codes at a distance above `limit` do not matter, nor those of whose prefixes less than
 * `prefix_differ` bits differ. */
typedef struct {
  uint32_t prefix_differ;
  double limit;
} hr_bounds;
/* The distance of a code, its words HR_LANES apart, of which so many bits differ; false if it does
 * not matter. */
bool hr_code_within(const hr_ranked_query *query, const uint64_t *code, uint32_t differ,
                    hr_bounds bounds, double *distance);

/* What a prefix costs whose differing bits cost `cost`, and which snaps to a centre: less where
 * that is the query's, or so much more as the centre costs. */
static inline double hr_shared_cost(const hr_ranked_query *query, uint32_t centre, double cost) {
  if (query->cells) return query->cells[centre] + cost;
  return query->prefixes->centres.count && centre == query->own_class
             ? query->prefixes->share * cost
             : cost;
}

#endif
