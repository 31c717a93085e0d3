/* Looking into the lists near a query. */
#ifndef HR_IVF_PROBE_H
#define HR_IVF_PROBE_H

#include "ivf/ivf.h"
#include "scan/scan.h"

/* What is to be found. With a filter the k nearest that pass it are among more nearest of all. */
typedef struct {
  size_t k; /* SIZE_MAX: all within the radius */
  uint32_t radius;
} hr_ivf_wish;

/* How many of all rows the k nearest of those that are allowed and not removed are among. */
size_t hr_ivf_among(size_t k, size_t rows, size_t allowed);
/* What was measured for the k nearest. */
hr_tuning hr_ivf_tuning(const hr_ivf *ivf, size_t k);
/* Whether looking into lists costs less than comparing all codes with so many queries. */
bool hr_ivf_pays(const hr_ivf *ivf, const hr_ivf_wish *wish, size_t queries);

typedef struct {
  const hr_ivf *ivf;
  const hr_source *source; /* all entries */
  hr_ivf_wish wish;
} hr_ivf_request;
/* Offers the entries of the lists near each query to its collector, if it pays. */
hr_status hr_ivf_search(const hr_ivf_request *request, const hr_queries *queries,
                        hr_collector *collectors);

#endif
