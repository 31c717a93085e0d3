/* Holding an index: for oneself, and still while the process forks. */
#include "index/internal.h"

void hr_index_lock(hr_index *index) {
  hr_waiters_add(&index->wanting, 1);
  hr_lock_exclusive(&index->lock);
  hr_waiters_add(&index->wanting, -1);
}

void hr_index_unlock(hr_index *index) { hr_unlock_exclusive(&index->lock); }

bool hr_index_wanted(const hr_index *index) { return hr_waiters_any(&index->wanting); }

/* --- forks --------------------------------------------------------------------- */

/* While it is held shared nobody can be changing the index, not even while the kernel copies
 * the process, page after page: a flag set by those who change it would not tell that. */
bool hr_index_before_fork(hr_index *index, int milliseconds) {
  while (!hr_lock_try_shared(&index->lock)) {
    if (!milliseconds--) return false;
    hr_sleep_ms();
  }
  return true;
}

void hr_index_after_fork(hr_index *index) { hr_unlock_shared(&index->lock); }

/* The threads that held the locks, or prepared, are not in the child. */
hr_status hr_index_in_child(hr_index *index) {
  index->preparing = false;
  index->wanting = (hr_waiters){0};
  return hr_lock_init(&index->lock) || hr_lock_init(&index->changing) ? HR_NO_MEMORY : HR_OK;
}
