/* Finding where prefixes begin among sorted codes, and which class each is of. */
#include "rank/prefixes.h"

#include "base/memory.h"
#include "kernels/dispatch.h"
#include "storage/blocks.h"

/* Words of a prefix, and those of the longest. */
#define MOST_WORDS (HR_MAX_BITS / 64)
/* Blocks of centres that are compared at a time. */
#define CENTRE_BLOCKS ((size_t)64)

void hr_prefixes_free(hr_prefixes *prefixes) {
  if (!prefixes) return;
  hr_free_aligned(prefixes->centres.blocks);
  hr_free_aligned(prefixes->blocks);
  free(prefixes->starts);
  free(prefixes->classes);
  free(prefixes->by_class);
  free(prefixes->class_starts);
  free(prefixes);
}

hr_status hr_prefixes_create(const hr_rule *rule, hr_prefixes **out) {
  hr_prefixes *made = hr_alloc_zero(1, sizeof *made);
  if (!made) return HR_NO_MEMORY;
  made->bits = rule->prefix;
  made->words = ((size_t)rule->prefix + 63) / 64;
  made->share = rule->centres ? rule->share : 1;
  *out = made;
  if (!rule->centres) return HR_OK;
  made->centres.blocks = hr_blocks_alloc(rule->centre_count, made->words);
  if (!made->centres.blocks) {
    hr_prefixes_free(made);
    return HR_NO_MEMORY;
  }
  made->centres.count = rule->centre_count;
  hr_blocks_fill(made->centres.blocks, rule->prefix, 0, rule->centres, rule->centre_count);
  return HR_OK;
}

void hr_prefix_take(const hr_prefixes *prefixes, const uint64_t *code, size_t stride,
                    uint64_t *out) {
  size_t last = prefixes->words - 1;
  uint32_t rest = prefixes->bits % 64;
  for (size_t w = 0; w <= last; w++) out[w] = code[w * stride];
  if (rest) out[last] &= hr_swap_bytes(UINT64_MAX << (64 - rest));
}

uint32_t hr_prefix_snap(const hr_prefixes *prefixes, const uint64_t *prefix) {
  const hr_centres *centres = &prefixes->centres;
  size_t words = prefixes->words, blocks = hr_block_count(centres->count);
  uint16_t distances[CENTRE_BLOCKS * HR_LANES];
  uint32_t nearest = 0, least = UINT32_MAX;
  for (size_t from = 0; from < blocks; from += CENTRE_BLOCKS) {
    size_t some = blocks - from < CENTRE_BLOCKS ? blocks - from : CENTRE_BLOCKS;
    hr_active_kernels()->distances(centres->blocks + from * words * HR_LANES, words, some, prefix,
                                   distances);
    for (size_t i = 0; i < some * HR_LANES && from * HR_LANES + i < centres->count; i++) {
      if (distances[i] >= least) continue;
      least = distances[i];
      nearest = (uint32_t)(from * HR_LANES + i);
    }
  }
  return nearest;
}

/* The first entry from one on whose prefix is another; it becomes `prefix`. */
static size_t next_prefix(const hr_prefixes *p, const hr_postings *postings, size_t entry,
                          uint64_t *prefix) {
  uint64_t other[MOST_WORDS];
  for (; entry < postings->entries; entry++) {
    hr_prefix_take(p, hr_postings_entry(postings, entry), HR_LANES, other);
    if (memcmp(other, prefix, p->words * sizeof *other) != 0) break;
  }
  if (entry < postings->entries) memcpy(prefix, other, p->words * sizeof *other);
  return entry;
}

static size_t first_prefix(const hr_prefixes *p, const hr_postings *postings, uint64_t *prefix) {
  if (postings->entries) hr_prefix_take(p, hr_postings_entry(postings, 0), HR_LANES, prefix);
  return 0;
}

static size_t count_prefixes(const hr_prefixes *p, const hr_postings *postings) {
  uint64_t prefix[MOST_WORDS];
  size_t count = 0, entry = first_prefix(p, postings, prefix);
  for (; entry < postings->entries; count++) entry = next_prefix(p, postings, entry + 1, prefix);
  return count;
}

/* Writes a prefix to a row of blocks. */
static void put(const hr_prefixes *p, size_t row, const uint64_t *prefix) {
  uint64_t *to = p->blocks + row / HR_LANES * p->words * HR_LANES + row % HR_LANES;
  for (size_t w = 0; w < p->words; w++) to[w * HR_LANES] = prefix[w];
}

/* Puts the numbers of the prefixes in order of the centres they snap to. */
static hr_status sort_by_class(hr_prefixes *p) {
  size_t centres = p->centres.count;
  p->by_class = hr_alloc(p->count, sizeof *p->by_class);
  p->class_starts = hr_alloc_zero(centres + 1, sizeof *p->class_starts);
  if (!p->by_class || !p->class_starts) return HR_NO_MEMORY;
  for (size_t i = 0; i < p->count; i++) p->class_starts[p->classes[i]]++;
  for (size_t c = 1; c <= centres; c++) p->class_starts[c] += p->class_starts[c - 1];
  for (size_t i = p->count; i-- > 0;) p->by_class[--p->class_starts[p->classes[i]]] = (uint32_t)i;
  return HR_OK;
}

hr_status hr_prefixes_find(hr_prefixes *p, const hr_postings *postings) {
  uint64_t prefix[MOST_WORDS];
  size_t count = count_prefixes(p, postings);
  p->blocks = hr_blocks_alloc(count, p->words);
  p->starts = hr_alloc(count + 1, sizeof *p->starts);
  if (p->centres.count) p->classes = hr_alloc(count, sizeof *p->classes);
  if (!p->blocks || !p->starts || (p->centres.count && !p->classes)) return HR_NO_MEMORY;
  size_t entry = first_prefix(p, postings, prefix);
  for (; p->count < count; p->count++) {
    p->starts[p->count] = (uint32_t)entry;
    put(p, p->count, prefix);
    if (p->classes) p->classes[p->count] = hr_prefix_snap(p, prefix);
    entry = next_prefix(p, postings, entry + 1, prefix);
  }
  p->starts[count] = (uint32_t)postings->entries;
  return p->classes ? sort_by_class(p) : HR_OK;
}
