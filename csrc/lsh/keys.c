/* Cheapest sets of bits to flip, in order. */
#include "lsh/keys.h"

#include "base/bitstring.h"
#include "base/memory.h"

/* A set of bits to flip, as ranks in the order of rising cost. */
typedef struct {
  double cost;
  uint64_t ranks;
} flips;

/* Cheaper first; among equals fewer flips, then lower ranks: a total order. */
static bool before(const flips *a, const flips *b) {
  if (a->cost != b->cost) return a->cost < b->cost;
  uint32_t flips_a = hr_popcount(a->ranks), flips_b = hr_popcount(b->ranks);
  return flips_a != flips_b ? flips_a < flips_b : a->ranks < b->ranks;
}

static void heap_push(flips *heap, size_t *size, flips item) {
  size_t i = (*size)++;
  for (; i && before(&item, &heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
  heap[i] = item;
}

static flips heap_pop(flips *heap, size_t *size) {
  flips top = heap[0], last = heap[--*size];
  size_t i = 0;
  for (size_t child; (child = 2 * i + 1) < *size; i = child) {
    if (child + 1 < *size && before(&heap[child + 1], &heap[child])) child++;
    if (!before(&heap[child], &last)) break;
    heap[i] = heap[child];
  }
  heap[i] = last;
  return top;
}

typedef struct {
  double cost;
  uint32_t bit;
} priced;

static int by_cost(const void *left, const void *right) {
  const priced *a = left, *b = right;
  if (a->cost != b->cost) return a->cost < b->cost ? -1 : 1;
  return a->bit < b->bit ? -1 : a->bit > b->bit;
}

/* Fills `masks` with the `count` cheapest sets of flips, the empty one first.
 * Each set has two children, its last rank moved on by one and the next rank
 * added, so that a heap of at most count + 1 sets yields all in order. */
static void cheapest_flips(const priced *bits, uint32_t width, uint32_t count, flips *heap,
                           uint64_t *masks) {
  size_t size = 0;
  masks[0] = 0;
  heap_push(heap, &size, (flips){bits[0].cost, 1});
  for (uint32_t i = 1; i < count; i++) {
    flips next = heap_pop(heap, &size);
    uint64_t mask = 0;
    uint32_t last = 0;
    for (uint32_t r = 0; r < width; r++)
      if (next.ranks >> r & 1) {
        mask |= (uint64_t)1 << (width - 1 - bits[r].bit);
        last = r;
      }
    masks[i] = mask;
    if (last + 1 == width) continue;
    uint64_t added = (uint64_t)1 << (last + 1), moved = next.ranks ^ ((uint64_t)1 << last);
    heap_push(heap, &size, (flips){next.cost + bits[last + 1].cost, next.ranks | added});
    heap_push(heap, &size,
              (flips){next.cost - bits[last].cost + bits[last + 1].cost, moved | added});
  }
}

/* The same order where all flips cost the same: fewer first, then lower ranks. */
static void fewest_flips(uint32_t width, uint32_t count, uint64_t *masks) {
  uint64_t ranks = 0;
  uint32_t flipped = 0;
  for (uint32_t i = 0; i < count; i++) {
    masks[i] = 0;
    for (uint32_t r = 0; r < width; r++) masks[i] |= (ranks >> r & 1) << (width - 1 - r);
    bool last = !ranks || ranks >> (width - flipped) == ((uint64_t)1 << flipped) - 1;
    ranks = last ? ((uint64_t)1 << ++flipped) - 1 : hr_next_combination(ranks);
  }
}

static void price_flips(uint32_t width, const float *margins, uint32_t count, flips *heap,
                        uint64_t *masks) {
  priced order[64];
  for (uint32_t b = 0; b < width; b++) {
    double margin = margins[b];
    order[b] = (priced){margin * margin, b};
  }
  qsort(order, width, sizeof *order, by_cost);
  cheapest_flips(order, width, count, heap, masks);
}

hr_status hr_keys_open(const hr_lsh_options *options, const uint64_t *query, const float *margins,
                       hr_keys *keys) {
  uint32_t tables = options->tables, width = options->bits / tables, count = options->probes;
  if (width < 32 && count > (uint32_t)1 << width) count = (uint32_t)1 << width;
  *keys = (hr_keys){.tables = tables, .width = width, .count = count};
  keys->keys = hr_alloc((size_t)(tables + 1) * count, sizeof *keys->keys);
  flips *heap = margins ? hr_alloc((size_t)count + 2, sizeof *heap) : NULL;
  hr_status status = keys->keys && (heap || !margins) ? HR_OK : HR_NO_MEMORY;
  uint64_t *masks = keys->keys + (size_t)tables * count;
  if (!status && !margins) fewest_flips(width, count, masks); /* the same in every table */
  for (uint32_t t = 0; !status && t < tables; t++) {
    if (margins) price_flips(width, margins + t * width, count, heap, masks);
    uint64_t *table = keys->keys + (size_t)t * count,
             own = hr_substring(query, 1, t * width, width);
    for (uint32_t i = 0; i < count; i++) table[i] = own ^ masks[i];
  }
  free(heap);
  if (status) hr_keys_close(keys);
  return status;
}

void hr_keys_close(hr_keys *keys) {
  free(keys->keys);
  keys->keys = NULL;
}
