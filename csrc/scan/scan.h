/* Exhaustive search over the codes of a segment. */
#ifndef HR_SCAN_H
#define HR_SCAN_H

#include "scan/heads.h"
#include "storage/subset.h"
#include "topk/collector.h"

/* The codes that a search compares, or some blocks of them. */
typedef struct {
  const uint64_t *blocks;
  size_t words, count;         /* words a code, and codes */
  size_t first, end;           /* blocks to be compared */
  const uint8_t *allow;        /* a bit a row, or NULL */
  size_t least;                /* of sorted codes: those before are not meant */
  const uint32_t *rows;        /* the rows of these codes, ascending; NULL: all rows in order */
  hr_unit unit;                /* what is found: */
  const hr_postings *postings; /* entries of these; NULL: rows */
  bool whole;                  /* codes are compared whole, though heads might pay */
  hr_heads *heads;             /* of the one query, kept between scans; NULL: where it pays */
} hr_source;

hr_source hr_source_of_segment(const hr_segment *segment, const uint8_t *allow);
hr_source hr_source_of_subset(const hr_subset *subset, size_t words);
/* By row, if that is asked for and kept. */
hr_source hr_source_of_postings(const hr_postings *postings, const uint8_t *allow, hr_unit unit);
/* Leaves part `part` of `parts` of the blocks. */
void hr_source_divide(hr_source *source, size_t part, size_t parts);

/* Offers what is in the source to the collector of each query, all of which hold its unit. */
hr_status hr_scan(const hr_source *source, const hr_queries *queries,
                  hr_collector *const *collectors);

#endif
