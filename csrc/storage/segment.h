/* Codes in blocks with their ids, sorted by id: a row's position breaks ties. */
#ifndef HR_SEGMENT_H
#define HR_SEGMENT_H

#include <stdbool.h>

#include "hashret.h"
#include "kernels/kernels.h"

typedef struct {
  uint64_t *blocks; /* kernels.h says how; rows past count are zero */
  int64_t *ids;     /* ascending; NULL: row i has id first_id + i */
  int64_t first_id;
  uint8_t *live; /* a bit a row, for all blocks: 0 is a tombstone; NULL: all rows are live */
  size_t count, tombstones, capacity;
  uint32_t bits;
  size_t words;
  bool borrowed; /* blocks and ids belong to a file's bytes */
} hr_segment;

#define HR_NO_ROW SIZE_MAX

void hr_segment_init(hr_segment *segment, uint32_t bits);
void hr_segment_free(hr_segment *segment);
size_t hr_segment_bytes(const hr_segment *segment);

static inline int64_t hr_segment_id(const hr_segment *segment, size_t row) {
  return segment->ids ? segment->ids[row] : segment->first_id + (int64_t)row;
}
static inline bool hr_bit(const uint8_t *bits, size_t i) { return bits[i / 8] >> i % 8 & 1; }
static inline void hr_set_bit(uint8_t *bits, size_t i) { bits[i / 8] |= (uint8_t)(1u << i % 8); }
static inline bool hr_segment_is_live(const hr_segment *segment, size_t row) {
  return !segment->live || hr_bit(segment->live, row);
}
static inline size_t hr_segment_live(const hr_segment *segment) {
  return segment->count - segment->tombstones;
}
/* The words of a row, HR_LANES apart. */
static inline const uint64_t *hr_segment_words(const hr_segment *segment, size_t row) {
  return hr_code_at(segment->blocks, segment->words, row);
}

/* The row of a live id, or HR_NO_ROW. */
size_t hr_segment_find(const hr_segment *segment, int64_t id);

/* Appends live codes with ids above all present. Unchanged on failure. */
hr_status hr_segment_append(hr_segment *segment, const uint8_t *codes, const int64_t *ids,
                            size_t n);
/* A copy with room for n more rows than there are; HR_OK and an empty one if there is room already.
 */
hr_status hr_segment_with_room(const hr_segment *segment, size_t n, hr_segment *out);
/* Makes a live row a tombstone. The bitmap must exist: hr_segment_open_live. */
void hr_segment_delete(hr_segment *segment, size_t row);
hr_status hr_segment_open_live(hr_segment *segment);
/* Replaces `segment` by the live rows of `segment` and `more`, merged by id; unchanged on failure.
 */
hr_status hr_segment_merge(hr_segment *segment, const hr_segment *more);
/* Leaves the list of ids out if they follow one another. */
void hr_segment_pack_ids(hr_segment *segment);
/* A copy of ids and tombstones, with codes that are zero. */
hr_status hr_segment_copy_rows(const hr_segment *rows, hr_segment *out);
/* Makes the memory the index's own. */
hr_status hr_segment_own(hr_segment *segment);

#endif
