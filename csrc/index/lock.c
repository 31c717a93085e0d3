/* Holding an index: for oneself, and still while the process forks. */
#include "base/compiler.h"
#include "index/internal.h"

void hr_index_lock(hr_index *index) {
  HR_ADD(&index->wanting, 1);
  hr_lock_exclusive(&index->lock);
  HR_ADD(&index->wanting, -1);
  index->state++;
}

void hr_index_unlock(hr_index *index) { hr_unlock_exclusive(&index->lock); }

/* Whether a search may begin, with what there is while something better is made. */
static bool may_search(const hr_index *index) {
  return index->preparing || hr_index_ready(index, false);
}

/* Sorted codes are found by row through a list that is made when first asked for. */
static bool listed(const hr_index *index) { return !index->postings || index->postings->entry_of; }

static hr_status list_codes(hr_index *index) {
  hr_index_lock(index);
  if (!listed(index)) index->postings->entry_of = hr_postings_entries(index->postings);
  hr_status status = listed(index) ? HR_OK : HR_NO_MEMORY;
  hr_index_unlock(index);
  return status;
}

hr_status hr_index_lock_shared(hr_index *index, bool search, bool codes) {
  for (;;) {
    hr_lock_shared(&index->lock);
    bool ready = !search || may_search(index);
    if (ready && (!codes || listed(index))) return HR_OK;
    hr_unlock_shared(&index->lock);
    hr_status status = ready ? list_codes(index) : HR_NOT_READY;
    if (status) return status;
  }
}

hr_status hr_read_lock(hr_index *index) { return hr_index_lock_shared(index, true, false); }

hr_status hr_read_lock_codes(hr_index *index) { return hr_index_lock_shared(index, true, true); }

void hr_read_unlock(hr_index *index) { hr_unlock_shared(&index->lock); }

uint64_t hr_read_state(const hr_index *index) { return index->state; }

bool hr_index_wanted(const hr_index *index) { return HR_LOAD(&index->wanting); }

/* While it is held shared nobody can be changing the index, not even while the kernel copies
 * the process, page after page: a flag set by those who change it would not tell that. */
bool hr_index_before_fork(hr_index *index, int milliseconds) {
  while (!hr_lock_try_shared(&index->lock)) {
    if (!milliseconds--) return false;
    hr_sleep_ms();
  }
  return true;
}

/* The threads that held the locks, or prepared, are not in the child. */
hr_status hr_index_in_child(hr_index *index) {
  index->preparing = false;
  index->wanting = 0;
  return hr_lock_init(&index->lock) || hr_lock_init(&index->changing) ? HR_NO_MEMORY : HR_OK;
}
