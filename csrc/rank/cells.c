/* Centre after centre, by what each costs the query: of a rule whose centres have costs. */
#include "base/cancel.h"
#include "kernels/dispatch.h"
#include "rank/internal.h"

/* A heap of what centres cost, less than 0, so that the cheapest is the last by that. */
static size_t heap_of_cells(hr_walker *w) {
  const hr_prefixes *p = w->prefixes;
  size_t size = 0;
  for (size_t c = 0; c < p->centres.count; c++)
    if (p->class_starts[c] < p->class_starts[c + 1] && w->query->cells[c] <= w->nearest->limit)
      w->cells[size++] = (hr_ranked_id){-w->query->cells[c], (int64_t)c};
  hr_heap_make(w->cells, size);
  return size;
}

static bool compare_cell(hr_walker *w, size_t centre) {
  const hr_prefixes *p = w->prefixes;
  for (size_t i = p->class_starts[centre]; i < p->class_starts[centre + 1]; i++) {
    size_t prefix = p->by_class[i];
    const uint64_t *words = hr_code_at(p->blocks, p->words, prefix);
    uint32_t differ = 0;
    for (size_t word = 0; word < p->words; word++)
      differ += hr_popcount(words[word * HR_LANES] ^ w->query->prefix[word]);
    if (!hr_try_prefix(w, prefix, differ)) return false;
  }
  return true;
}

hr_status hr_walk_cells(hr_walker *w) {
  size_t left = heap_of_cells(w);
  while (left > 0 && -w->cells[0].distance <= w->nearest->limit) {
    if (hr_cancelled(w->rows.cancel)) return HR_CANCELLED;
    if (!compare_cell(w, (size_t)w->cells[0].id)) return HR_NO_MEMORY;
    w->cells[0] = w->cells[--left];
    hr_heap_sift(w->cells, left, 0);
  }
  return HR_OK;
}
