/* The segments of an index, and the rows in all of them. */
#include "index/internal.h"

const hr_segment *hr_index_segment(const hr_index *index, int segment) {
  switch (segment) {
    case HR_SORTED: return index->postings ? &index->postings->rows : NULL;
    case HR_FROZEN_MAIN: return &index->frozen[0];
    case HR_FROZEN_DELTA: return &index->frozen[1];
    case HR_MAIN: return &index->main;
    default: return &index->delta;
  }
}

size_t hr_index_live(const hr_index *index) {
  size_t live = 0;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    if (rows) live += hr_segment_live(rows);
  }
  return live;
}

int hr_index_locate(const hr_index *index, int64_t id, size_t *row) {
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = hr_index_segment(index, segment);
    if (rows && (*row = hr_segment_find(rows, id)) != HR_NO_ROW) return segment;
  }
  return -1;
}

hr_cursor hr_cursor_open(const hr_index *index) {
  hr_cursor cursor = {{0}, {0}};
  for (int segment = 0; segment < HR_SEGMENTS; segment++)
    cursor.rows[segment] = hr_index_segment(index, segment);
  return cursor;
}

int hr_cursor_next(hr_cursor *cursor, size_t *row) {
  int next = -1;
  int64_t least = 0;
  for (int segment = 0; segment < HR_SEGMENTS; segment++) {
    const hr_segment *rows = cursor->rows[segment];
    while (rows && cursor->at[segment] < rows->count &&
           !hr_segment_is_live(rows, cursor->at[segment]))
      cursor->at[segment]++;
    if (!rows || cursor->at[segment] == rows->count) continue;
    int64_t id = hr_segment_id(rows, cursor->at[segment]);
    if (next >= 0 && id >= least) continue;
    next = segment;
    least = id;
  }
  if (next >= 0) *row = cursor->at[next]++;
  return next;
}
