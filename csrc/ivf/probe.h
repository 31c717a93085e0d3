/* Looking into the lists near a query. */
#ifndef HR_IVF_PROBE_H
#define HR_IVF_PROBE_H

#include "ivf/ivf.h"
#include "scan/scan.h"

/* What was measured for the k nearest, or for all within a radius if k is SIZE_MAX. */
hr_tuning hr_ivf_tuning(const hr_ivf *ivf, size_t k);
/* Whether that costs less than comparing all codes with so many queries. */
bool hr_ivf_pays(const hr_ivf *ivf, size_t k, size_t queries);

/* Where to look, and how far: as suits the k nearest. With a filter these are fewer than those
 * that have to be passed. */
typedef struct {
  const hr_ivf *ivf;
  const hr_source *source; /* all entries */
  size_t k;
} hr_ivf_request;
/* Offers the entries of the lists near each query to its collector, if it pays. */
hr_status hr_ivf_search(const hr_ivf_request *request, const hr_queries *queries,
                        hr_collector *collectors);

#endif
