/* Compares the kernels that run on this processor with the scalar ones; prints
 * the name of each set compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitstring.h"
#include "hashret.h"
#include "kernels/dispatch.h"
#include "kernels/strips.h"

/* Strips are made of codes up to 8 words. */
enum { BLOCKS = 37, ROWS = BLOCKS * HR_LANES, MOST_STRIP_WORDS = 9 };

static uint64_t state = 88172645463325252u;

static uint64_t random64(void) { /* xorshift64, Marsaglia 2003 */
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static void fail(const char *what, const char *name, size_t words) {
  printf("%s differs: %s, %zu words\n", what, name, words);
  exit(1);
}

/* All hits of a pass, in one matrix of distances: UINT32_MAX where none. */
static void run_below(const hr_kernels *kernels, hr_pass pass, uint32_t (*found)[ROWS]) {
  hr_hit hits[HR_HITS];
  memset(found, 0xFF, sizeof(uint32_t) * HR_GROUP * ROWS);
  while (pass.block < pass.end) {
    size_t count = (pass.strips ? kernels->scan_strips : kernels->scan)(&pass, hits);
    if (count > HR_HITS) fail("room", kernels->name, pass.words);
    for (size_t i = 0; i < count; i++) found[hits[i].query][hits[i].row] = hits[i].distance;
  }
}

/* The length of heads, or none. */
static size_t random_head(size_t words, bool strips) {
  size_t step = HR_HEAD_STEP(strips);
  return words < HR_HEAD_WORDS ? 0 : random64() % (words * sizeof(uint64_t) / step) * step;
}

/* Limits that some rows are below, though most are far. */
static void draw_limits(hr_pass *pass, uint32_t most) {
  for (size_t q = 0; q < HR_GROUP; q++) {
    uint32_t half = 32 * (uint32_t)pass->words, limit = (uint32_t)(random64() % (2 * half + 2));
    if (random64() % 4) limit = half - half / 8 + (uint32_t)(random64() % (half / 4));
    pass->limit[q] = limit < most ? limit : most;
  }
}

/* A pass over strips from some block on, with heads and without, which ends in the middle of one.
 */
static void compare_strips(const hr_kernels *kernels, const uint64_t *blocks, size_t words) {
  static uint32_t expected[HR_GROUP][ROWS], found[HR_GROUP][ROWS];
  static uint8_t near[HR_GROUP * HR_NEAR_BYTES(HR_MAX_BITS / 64)];
  uint64_t query[HR_GROUP][HR_MAX_BITS / 64];
  uint8_t allow[BLOCKS], *strips = malloc(hr_strip_count(BLOCKS) * HR_STRIP * words * 8);
  for (size_t i = 0; i < BLOCKS; i++) allow[i] = i % 20 < 10 ? (uint8_t)random64() : 0;
  for (int turn = 0; turn < 100; turn++) {
    hr_pass pass = {.blocks = blocks, .words = words, .queries = HR_GROUP};
    pass.allow = turn % 3 ? NULL : allow;
    pass.block = pass.first = random64() % BLOCKS;
    pass.end = pass.block + random64() % (BLOCKS - pass.block + 1);
    draw_limits(&pass, HR_STRIP_LIMIT);
    for (size_t q = 0; q < HR_GROUP; q++) {
      for (size_t w = 0; w < words; w++) query[q][w] = random64();
      pass.query[q] = query[q];
      hr_strips_near(query[q], words, near + q * HR_NEAR_BYTES(words));
    }
    run_below(&hr_kernels_scalar, pass, expected);
    kernels->to_strips(blocks + pass.first * words * HR_LANES, words, BLOCKS - pass.first, strips);
    pass.strips = strips;
    pass.near = near;
    pass.head = random_head(words, true);
    run_below(kernels, pass, found);
    if (memcmp(expected, found, sizeof found)) fail("strips", kernels->name, words);
  }
  free(strips);
}

static void compare(const hr_kernels *kernels, const uint64_t *blocks, size_t words) {
  const hr_kernels *scalar = &hr_kernels_scalar;
  static uint32_t expected[HR_GROUP][ROWS], found[HR_GROUP][ROWS];
  static uint16_t all[2][ROWS];
  uint64_t query[HR_GROUP][HR_MAX_BITS / 64];
  uint8_t allow[BLOCKS];
  uint32_t rows[ROWS];
  for (size_t i = 0; i < BLOCKS; i++) allow[i] = i % 5 ? (uint8_t)random64() : 0;
  for (uint32_t i = 0; i < ROWS; i++) rows[i] = (uint32_t)(random64() % ROWS);
  for (int turn = 0; turn < 200; turn++) {
    hr_pass pass = {.blocks = blocks, .words = words, .queries = turn % 2 ? 1 : HR_GROUP};
    pass.allow = turn % 3 ? NULL : allow;
    pass.block = random64() % BLOCKS;
    pass.end = pass.block + random64() % (BLOCKS - pass.block + 1);
    for (size_t q = 0; q < HR_GROUP; q++) {
      for (size_t w = 0; w < words; w++) query[q][w] = random64();
      pass.query[q] = query[q];
    }
    draw_limits(&pass, UINT32_MAX);
    run_below(scalar, pass, expected);
    pass.head = random_head(words, false);
    run_below(kernels, pass, found);
    if (memcmp(expected, found, sizeof found)) fail("below", kernels->name, words);
    scalar->distances(blocks, words, BLOCKS, query[0], all[0]);
    kernels->distances(blocks, words, BLOCKS, query[0], all[1]);
    if (memcmp(all[0], all[1], sizeof all[0])) fail("distances", kernels->name, words);
    scalar->distances_at(blocks, words, rows, ROWS, query[0], all[0]);
    kernels->distances_at(blocks, words, rows, ROWS, query[0], all[1]);
    if (memcmp(all[0], all[1], sizeof all[0])) fail("pick", kernels->name, words);
  }
}

/* Distances from the query, not by the code that all sets have in common for this operation. */
static void count_distances(const uint64_t *blocks, size_t words, const uint64_t *query,
                            uint32_t *out) {
  for (size_t row = 0; row < ROWS; row++) {
    out[row] = 0;
    for (size_t w = 0; w < words; w++)
      out[row] += hr_popcount(hr_code_at(blocks, words, row)[w * HR_LANES] ^ query[w]);
  }
}

/* Rows in any order, some of them more than once, some at the limit or a bit below. */
static void compare_rows(const hr_kernels *kernels, const uint64_t *blocks, size_t words) {
  uint64_t query[HR_MAX_BITS / 64];
  uint32_t rows[ROWS], distances[ROWS];
  hr_hit hits[ROWS];
  for (int turn = 0; turn < 10; turn++) {
    for (size_t w = 0; w < words; w++) query[w] = random64();
    count_distances(blocks, words, query, distances);
    for (size_t i = 0; i < ROWS; i++) rows[i] = (uint32_t)(random64() % ROWS);
    uint32_t limit = distances[rows[0]] + (uint32_t)(random64() % 2);
    if (turn < 2) limit = turn ? UINT32_MAX : 0;
    hr_row_pass pass = {blocks, words, rows, random64() % (ROWS + 1), query, limit};
    size_t found = kernels->scan_rows(&pass, hits), next = 0;
    for (size_t i = 0; i < pass.count; i++) {
      uint32_t row = rows[i];
      if (distances[row] >= limit) continue;
      if (next == found || hits[next].row != row || hits[next].distance != distances[row] ||
          hits[next].query)
        fail("rows", kernels->name, words);
      next++;
    }
    if (next != found) fail("rows", kernels->name, words);
  }
}

static void compare_masks(const hr_kernels *kernels) {
  uint8_t flags[ROWS], bits[2][BLOCKS];
  for (size_t i = 0; i < ROWS; i++) flags[i] = random64() % 3 ? 0 : (uint8_t)random64();
  for (size_t count = 0; count <= BLOCKS; count++) {
    memset(bits, 0, sizeof bits);
    hr_kernels_scalar.pack_mask(flags, count, bits[0]);
    kernels->pack_mask(flags, count, bits[1]);
    if (memcmp(bits[0], bits[1], sizeof bits[0])) fail("mask", kernels->name, count);
    for (size_t i = 0; i < 8 * count; i++)
      if ((bits[0][i / 8] >> i % 8 & 1) != (flags[i] != 0)) fail("mask bit", kernels->name, i);
  }
}

static void compare_sketches(const hr_kernels *kernels) {
  uint32_t sketches[4 * HR_SKETCHES], query[4], hits[2][HR_SKETCHES];
  for (size_t i = 0; i < 4 * HR_SKETCHES; i++) sketches[i] = (uint32_t)random64();
  for (size_t words = 1; words <= 4; words++)
    for (int turn = 0; turn < 200; turn++) {
      size_t count = random64() % (HR_SKETCHES + 1);
      uint32_t limit = (uint32_t)(random64() % (32 * words));
      for (size_t w = 0; w < words; w++) query[w] = (uint32_t)random64();
      size_t expected = hr_kernels_scalar.sketches(sketches, words, count, query, limit, hits[0]);
      size_t found = kernels->sketches(sketches, words, count, query, limit, hits[1]);
      if (found != expected || memcmp(hits[0], hits[1], found * sizeof **hits))
        fail("sketches", kernels->name, words);
    }
}

/* Every way through a kernel has its turn by 12 words; then full and odd numbers of vectors. */
static const size_t widths[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,
                                10, 11, 12, 16, 17, 31, 33, 63, HR_MAX_BITS / 64};

int main(void) {
  for (size_t i = 0; hr_isa_supported(i); i++) {
    hr_isa_select(hr_isa_supported(i));
    compare_masks(hr_active_kernels());
    compare_sketches(hr_active_kernels());
    for (size_t place = 0; place < sizeof widths / sizeof *widths; place++) {
      size_t words = widths[place], size = words * HR_LANES * BLOCKS;
      uint64_t *blocks = aligned_alloc(64, size * sizeof *blocks);
      for (size_t w = 0; w < size; w++) blocks[w] = random64();
      if (hr_active_kernels() != &hr_kernels_scalar) compare(hr_active_kernels(), blocks, words);
      compare_rows(hr_active_kernels(), blocks, words);
      if (hr_active_kernels()->to_strips && words <= MOST_STRIP_WORDS)
        compare_strips(hr_active_kernels(), blocks, words);
      free(blocks);
    }
    printf("%s\n", hr_isa_name());
  }
  return 0;
}
