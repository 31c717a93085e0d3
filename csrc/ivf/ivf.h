/* An inverted file: sorted codes grouped into lists around binary centroids.
 *
 * A query goes to the list of its nearest centroid, then to the next ones while they lie at most
 * (dial / HR_IVF_UNIT) * sqrt(r) farther than the nearest, where r is the k-th distance found by
 * then, or the radius. A neighbour at distance r differs from the query by r bits, of which those
 * that two centroids differ in move it from one to the other: by about the square root of r. So one
 * dial serves queries with near and with far neighbours, and stops early at copies.
 *
 * The dial is tuned on codes of its own, each left out of its answer (tune.c).
 */
#ifndef HR_IVF_H
#define HR_IVF_H

#include "storage/postings.h"

typedef struct hr_ivf hr_ivf;

#define HR_IVF_UNIT 32
/* Where fewer codes differ, comparing all costs as little. */
#define HR_IVF_LEAST ((size_t)8192)

/* Groups the entries into lists, in place, and tunes the dials for a recall in millionths. */
hr_status hr_ivf_build(hr_postings *postings, uint32_t recall, const int *cancel, hr_ivf **out);
void hr_ivf_free(hr_ivf *ivf);
size_t hr_ivf_bytes(const hr_ivf *ivf);

/* The file's section: spans to be written one after the other. */
#define HR_IVF_PARTS 3
void hr_ivf_parts(const hr_ivf *ivf, hr_span parts[HR_IVF_PARTS]);
/* Borrows the bytes. HR_BAD_FORMAT: they do not fit the postings. */
hr_status hr_ivf_open(const hr_postings *postings, const void *data, size_t size, hr_ivf **out);

#endif
