/* Codes in blocks with their ids, sorted by id: a row's position breaks ties. */
#ifndef HR_ROWS_H
#define HR_ROWS_H

#include <stdbool.h>

#include "hashret.h"
#include "kernels/kernels.h"

typedef struct {
  uint64_t *blocks; /* kernels.h says how; rows past count are zero */
  int64_t *ids;     /* ascending; NULL: row i has id first_id + i */
  int64_t first_id;
  uint8_t *live; /* a bit a row, for all blocks; NULL: all rows are live */
  size_t count, dead, capacity;
  uint32_t bits;
  size_t words;
  bool borrowed; /* blocks and ids belong to a file's bytes */
} hr_segment;

#define HR_NO_ROW SIZE_MAX

void hr_segment_init(hr_segment *rows, uint32_t bits);
void hr_segment_free(hr_segment *rows);
size_t hr_segment_bytes(const hr_segment *rows);

static inline size_t hr_segment_blocks(const hr_segment *rows) {
  return (rows->count + HR_LANES - 1) / HR_LANES;
}
static inline int64_t hr_segment_id(const hr_segment *rows, size_t row) {
  return rows->ids ? rows->ids[row] : rows->first_id + (int64_t)row;
}
static inline bool hr_segment_is_live(const hr_segment *rows, size_t row) {
  return !rows->live || (rows->live[row / 8] >> row % 8 & 1);
}
/* The words of a row, HR_LANES apart. */
static inline const uint64_t *hr_segment_words(const hr_segment *rows, size_t row) {
  return rows->blocks + row / HR_LANES * rows->words * HR_LANES + row % HR_LANES;
}
static inline uint64_t hr_segment_word(const hr_segment *rows, size_t row, size_t word) {
  return rows->blocks[(row / HR_LANES * rows->words + word) * HR_LANES + row % HR_LANES];
}

/* The row of a live id, or HR_NO_ROW. */
size_t hr_segment_find(const hr_segment *rows, int64_t id);
/* The first row whose id is at least `id`. */
size_t hr_segment_lower_bound(const hr_segment *rows, int64_t id);

/* Appends live codes with ids above all present. Unchanged on failure. */
hr_status hr_segment_append(hr_segment *rows, const uint8_t *codes, const int64_t *ids, size_t n);
/* Marks a live row dead. The bitmap must exist: hr_segment_open_live. */
void hr_segment_delete(hr_segment *rows, size_t row);
hr_status hr_segment_open_live(hr_segment *rows);
/* Replaces `rows` by the live rows of `rows` and `more`, merged by id.
 * `more` becomes empty. Both unchanged on failure. */
hr_status hr_segment_merge(hr_segment *rows, hr_segment *more);
/* Writes row's packed code. */
void hr_segment_code(const hr_segment *rows, size_t row, uint8_t *code);
/* A copy, dead rows and all. */
hr_status hr_segment_copy(const hr_segment *rows, hr_segment *out);
/* Opens `rows` with room and ids for all rows of `like`, live ones only, and codes zero. */
hr_status hr_segment_reserve(hr_segment *rows, const hr_segment *like);
/* Copies the words of a code, HR_LANES apart. */
void hr_segment_set_words(hr_segment *rows, size_t row, const uint64_t *words);
/* Overwrites the code of a row that is not borrowed. */
void hr_segment_set_code(hr_segment *rows, size_t row, const uint8_t *code);
/* Makes the memory the index's own. */
hr_status hr_segment_own(hr_segment *rows);

/* Writes n packed codes into blocks, from a row on. */
void hr_blocks_fill(uint64_t *blocks, uint32_t bits, size_t row, const uint8_t *codes, size_t n);
/* Little-endian words of a packed code. */
void hr_words_load(const uint8_t *code, uint32_t bits, uint64_t *words);

#endif
