/* The one signature of all kernels.
 *
 * Codes lie in blocks of 8: block b holds, for each word w, the w-th words of
 * rows 8b .. 8b+7 side by side (64 bytes). One 64-bit lane is one row, so a
 * distance is summed inside a lane and never across lanes.
 */
#ifndef HR_KERNELS_H
#define HR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define HR_LANES 8

static inline size_t hr_block_count(size_t codes) { return (codes + HR_LANES - 1) / HR_LANES; }
/* The words of a code, HR_LANES apart. */
HR_INLINE const uint64_t *hr_code_at(const uint64_t *blocks, size_t words, size_t row) {
  return blocks + row / HR_LANES * words * HR_LANES + row % HR_LANES;
}

/* Queries that one pass over the blocks answers together. */
#define HR_GROUP 4

typedef struct {
  uint32_t row;
  uint16_t distance;
  uint16_t query;
} hr_hit;

/* A pass over blocks [block, end). */
typedef struct {
  const uint64_t *blocks;
  size_t words; /* 64-bit words a code */
  size_t block, end;
  const uint64_t *query[HR_GROUP];
  uint32_t limit[HR_GROUP]; /* rows at a distance < limit are hits */
  uint32_t queries;         /* 1 or HR_GROUP; a limit of 0 makes a query idle */
  const uint8_t *allow;     /* bit l of byte b: row 8b + l may be a hit; NULL: all may */
  const uint8_t *strips;    /* for scan_strips (strips.h): those of the blocks from `first` on, */
  size_t first;
  const uint8_t *near; /* and the queries' tables */
  size_t head;         /* so many bytes of codes are compared first, a multiple of HR_HEAD_STEP, and
                          the rest only where some row may still be a hit; 0: all at once */
  size_t left; /* blocks that were left after their heads, counted for each query, are added */
} hr_pass;

/* A pass over some rows, which lie anywhere. */
typedef struct {
  const uint64_t *blocks;
  size_t words;
  const uint32_t *rows;
  size_t count;
  const uint64_t *query;
  uint32_t limit;
} hr_row_pass;

/* Long codes have heads. Strips: their bytes lie one by one; else words do. */
#define HR_HEAD_WORDS 4
#define HR_HEAD_STEP(strips) ((strips) ? (size_t)4 : sizeof(uint64_t))

/* How codes are compared, which decides what a look at the sums of heads costs. */
typedef enum { HR_LONE, HR_GROUPED, HR_STRIPS, HR_FORMS } hr_form;

/* In the time that comparing a byte of the codes takes: a look, and a branch not foreseen. */
typedef struct {
  uint16_t look, miss;
} hr_head_cost;

/* Rows of a strip. Its distances are bytes: limits above cannot be told from each other. */
#define HR_STRIP 64
#define HR_STRIP_BLOCKS (HR_STRIP / HR_LANES)
#define HR_STRIP_LIMIT 255

/* A pass stops soon after this many hits, so that limits are renewed; it looks
 * at HR_STRETCH steps of up to HR_STEP_BLOCKS blocks between two checks. */
#define HR_ENOUGH_HITS 128
#define HR_STEP_BLOCKS 4
#define HR_STRETCH 16
#define HR_HITS (HR_ENOUGH_HITS + HR_STRETCH * HR_STEP_BLOCKS * HR_LANES * HR_GROUP)

typedef struct {
  const char *name;
  /* Writes hits to `hits` (room for HR_HITS), rows ascending for each query,
   * advances pass->block to where to go on, returns the number of hits. */
  size_t (*scan)(hr_pass *pass, hr_hit *hits);
  /* out[8 * block + lane] for all rows of blocks [0, count). */
  void (*distances)(const uint64_t *blocks, size_t words, size_t count, const uint64_t *query,
                    uint16_t *out);
  /* out[i]: the distance of row rows[i]. */
  void (*distances_at)(const uint64_t *blocks, size_t words, const uint32_t *rows, size_t count,
                       const uint64_t *query, uint16_t *out);
  /* Writes to `hits`, in their order, those of the rows that lie at a distance < limit, and returns
   * how many. */
  size_t (*scan_rows)(const hr_row_pass *pass, hr_hit *hits);
  /* Bit j of bits[i]: whether flags[8i + j] is not zero, for i < count. */
  void (*pack_mask)(const uint8_t *flags, size_t count, uint8_t *bits);
  /* hits: ascending, the i < count (at most HR_SKETCHES) with sketch i, `words` 32-bit
   * words long, within `limit` of the query's. Returns how many. */
  size_t (*sketches)(const uint32_t *sketches, size_t words, size_t count, const uint32_t *query,
                     uint32_t limit, uint32_t *hits);
  /* NULL, or a faster way for many queries. Blocks [0, count) in strips, whose last may be longer
   * than they are. */
  void (*to_strips)(const uint64_t *blocks, size_t words, size_t count, uint8_t *strips);
  /* As scan, of HR_GROUP queries; block - first is a multiple of HR_STRIP_BLOCKS, and no limit is
   * above HR_STRIP_LIMIT. */
  size_t (*scan_strips)(hr_pass *pass, hr_hit *hits);
  hr_head_cost heads[HR_FORMS]; /* all zero: heads are not looked at */
} hr_kernels;

#define HR_SKETCHES 256

extern const hr_kernels hr_kernels_scalar;
#if defined(__x86_64__) || defined(_M_X64)
#define HR_X86 1
extern const hr_kernels hr_kernels_avx2;
extern const hr_kernels hr_kernels_avx512;
#endif
#if defined(__aarch64__) || defined(_M_ARM64)
#define HR_ARM64 1
extern const hr_kernels hr_kernels_neon;
#endif

/* A call with the number of words as a constant where that is usual, which unrolls loops. */
#define HR_BY_WIDTH(function, words, ...)    \
  ((words) == 1   ? function(1, __VA_ARGS__) \
   : (words) == 2 ? function(2, __VA_ARGS__) \
   : (words) == 4 ? function(4, __VA_ARGS__) \
   : (words) == 8 ? function(8, __VA_ARGS__) \
                  : function(words, __VA_ARGS__))

/* The same with the words of heads too, of codes of up to eight. */
#define HR_BY_HEAD(function, head, words, ...)                        \
  ((words) > 8 || (head) > 6 ? function((head), (words), __VA_ARGS__) \
   : (head) == 1             ? function(1, (words), __VA_ARGS__)      \
   : (head) == 2             ? function(2, (words), __VA_ARGS__)      \
   : (head) == 3             ? function(3, (words), __VA_ARGS__)      \
   : (head) == 4             ? function(4, (words), __VA_ARGS__)      \
   : (head) == 5             ? function(5, (words), __VA_ARGS__)      \
                             : function(6, (words), __VA_ARGS__))

#endif
