/* Inside of an index, shared by index.c, search.c and file.c. */
#ifndef HR_INDEX_H
#define HR_INDEX_H

#include "lock.h"
#include "lsh.h"
#include "rows.h"

struct hr_index {
  hr_kind kind;
  uint32_t bits, tables;
  hr_rows base; /* nearly all codes, sorted by id */
  hr_rows tail; /* codes added since with ids that do not follow the base's */
  int64_t next_id;
  hr_lsh *lsh; /* tables over the first rows of base; NULL until a search needs them */
  hr_lock lock;
};

struct hr_filter {
  uint8_t *base, *tail; /* a bit a row; dead rows are 0 */
};

/* Live codes. Needs a lock. */
size_t hr_index_live(const hr_index *index);

/* Moves the tail into the base and drops dead rows. Needs the exclusive lock. */
hr_status hr_index_flush(hr_index *index);

#endif
