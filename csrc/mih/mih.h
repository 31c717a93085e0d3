/* Exact search that looks into buckets only: multi-index hashing.
 *
 * A code is cut into `tables` substrings. If a code is within r of the query, and t_i
 * are numbers with sum(t_i + 1) > r, then some substring i of it is within t_i of the
 * query's (general pigeonhole: Qin et al., "GPH", ICDE 2018; Norouzi et al., TPAMI 2014).
 * So a search that has looked into all buckets within t_i in every table i has seen
 * all codes within sum(t_i + 1) - 1. It goes on, probe radius by probe radius, the cheapest
 * next, until that sum reaches the k-th distance.
 */
#ifndef HR_MIH_H
#define HR_MIH_H

#include "storage/postings.h"

#define HR_MIH_MAX_TABLES 14

typedef struct hr_mih hr_mih;

/* Tables over the entries of `postings`, which must outlive them. tables: as hr_index_create says.
 */
hr_status hr_mih_build(const hr_postings *postings, uint32_t tables, const int *cancel,
                       hr_mih **out);
void hr_mih_free(hr_mih *mih);
size_t hr_mih_bytes(const hr_mih *mih);
/* The tables as byte ranges for a file, each to begin at a multiple of 64. */
#define HR_MIH_PARTS (2 * HR_MIH_MAX_TABLES)
size_t hr_mih_parts(const hr_mih *mih, hr_span *parts);
/* Reads them again; they borrow the bytes. HR_BAD_FORMAT if they do not fit the codes. */
hr_status hr_mih_open(const hr_postings *postings, const uint8_t *bytes, size_t size, hr_mih **out);

#endif
