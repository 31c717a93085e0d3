/* Rows that are marked by a bit each, in a bitmap of whole bytes. */
#ifndef HR_MARKS_H
#define HR_MARKS_H

#include "base/bitstring.h"
#include "storage/segment.h"

/* Goes through them. */
typedef struct {
  const uint8_t *bits;
  size_t bytes, at; /* of the bitmap; and where the next eight of them begin */
  uint64_t left;    /* of the eight before */
  size_t row;       /* the one that was reached; HR_NO_ROW: there is no more */
} hr_marked;

static inline hr_marked hr_marked_open(const uint8_t *bits, size_t bytes) {
  return (hr_marked){.bits = bits, .bytes = bytes};
}

/* Eight bytes, or the last ones. */
static inline uint64_t hr_marks_at(const uint8_t *bits, size_t bytes, size_t at) {
  size_t left = bytes - at;
  return left < 8 ? hr_load_word(bits + at, left) : hr_load_word(bits + at, 8);
}

static inline void hr_marked_next(hr_marked *m) {
  for (; !m->left && m->at < m->bytes; m->at += 8) m->left = hr_marks_at(m->bits, m->bytes, m->at);
  m->row = HR_NO_ROW;
  if (!m->left) return;
  m->row = (m->at - 8) * 8 + hr_lowest_bit(m->left);
  m->left &= m->left - 1;
}

static inline size_t hr_count_marks(const uint8_t *bits, size_t bytes) {
  size_t count = 0;
  for (size_t at = 0; at < bytes; at += 8) count += hr_popcount(hr_marks_at(bits, bytes, at));
  return count;
}

#endif
