/* Holding an index: for oneself, and still while the process forks. */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/memory.h"
#include "index/internal.h"

/* Who puts something in place waits so many milliseconds for a moment without readers before it
 * keeps new ones out: others would wait with it for one that reads for long. */
#define GENTLE_TRIES 100

/* For what no reader's preparations go by. */
static void lock_quietly(hr_index *index) {
  HR_ADD(&index->wanting, 1);
  hr_lock_exclusive(&index->lock);
  HR_ADD(&index->wanting, -1);
}

void hr_index_lock(hr_index *index) {
  lock_quietly(index);
  index->state++;
}

void hr_index_unlock(hr_index *index) { hr_unlock_exclusive(&index->lock); }

void hr_index_lock_gently(hr_index *index) {
  for (int tries = 0; tries < GENTLE_TRIES; tries++) {
    if (hr_lock_try_exclusive(&index->lock)) {
      index->state++;
      return;
    }
    hr_sleep_ms();
  }
  hr_index_lock(index);
}

hr_status hr_index_wait_building(hr_index *index, const int *cancel) {
  while (!hr_lock_try_exclusive(&index->building)) {
    if (hr_cancelled(cancel)) return HR_CANCELLED;
    hr_sleep_ms();
  }
  return HR_OK;
}

/* Whether a search may begin, with what there is while something better is made. */
static bool may_search(const hr_index *index, size_t queries) {
  hr_missing missing = hr_index_missing(index, false);
  if (missing == HR_NOTHING) return true;
  bool takes_long = hr_index_takes_long(index, missing);
  if (takes_long && hr_index_worth_waiting(index, missing, queries)) return false;
  if (index->preparing || hr_index_working(index)) return true;
  return takes_long && hr_now_ns() < index->background.pause;
}

/* Sorted codes are found by row through a list that is made when first asked for. */
static bool listed(const hr_index *index) { return !index->postings || index->postings->entry_of; }

/* It is made beside readers, and thrown away if other codes are the sorted ones by then. */
static hr_status list_codes(hr_index *index) {
  hr_lock_shared(&index->lock);
  uint64_t replaced = index->replaced;
  uint32_t *entries = listed(index) ? NULL : hr_postings_entries(index->postings);
  hr_status status = listed(index) || entries ? HR_OK : HR_NO_MEMORY;
  hr_unlock_shared(&index->lock);
  if (!entries) return status;
  lock_quietly(index);
  if (index->replaced == replaced && !listed(index)) {
    index->postings->entry_of = entries;
    entries = NULL;
  }
  hr_index_unlock(index);
  free(entries);
  return status;
}

hr_status hr_index_lock_shared(hr_index *index, size_t queries, bool codes) {
  for (;;) {
    hr_lock_shared(&index->lock);
    bool ready = !queries || may_search(index, queries);
    if (ready && (!codes || listed(index))) return HR_OK;
    hr_unlock_shared(&index->lock);
    hr_status status = ready ? list_codes(index) : HR_NOT_READY;
    if (status) return status;
  }
}

hr_status hr_read_try_lock(hr_index *index, size_t queries, bool codes) {
  if (!hr_lock_try_shared(&index->lock)) return HR_WANTED;
  if (codes && !listed(index)) {
    hr_unlock_shared(&index->lock);
    return HR_WANTED;
  }
  if (!queries || may_search(index, queries)) return HR_OK;
  hr_unlock_shared(&index->lock);
  return HR_NOT_READY;
}

hr_status hr_read_lock(hr_index *index, size_t queries) {
  return hr_index_lock_shared(index, queries, false);
}

hr_status hr_read_lock_codes(hr_index *index, size_t queries) {
  return hr_index_lock_shared(index, queries, true);
}

void hr_read_unlock(hr_index *index) { hr_unlock_shared(&index->lock); }

uint64_t hr_read_state(const hr_index *index) { return index->state; }

bool hr_index_wanted(const hr_index *index) { return HR_LOAD(&index->wanting); }

hr_status hr_index_open_locks(hr_index *index) {
  hr_lock *locks[] = {&index->building, &index->changing, &index->lock,
                      &index->background.starting};
  for (size_t opened = 0; opened < sizeof locks / sizeof *locks; opened++) {
    if (!hr_lock_init(locks[opened])) continue;
    while (opened--) hr_lock_destroy(locks[opened]);
    return HR_NO_MEMORY;
  }
  return HR_OK;
}

void hr_index_close_locks(hr_index *index) {
  hr_lock_destroy(&index->building);
  hr_lock_destroy(&index->changing);
  hr_lock_destroy(&index->lock);
  hr_lock_destroy(&index->background.starting);
}

/* While it is held shared nobody can be changing the index, not even while the kernel copies
 * the process, page after page: a flag set by those who change it would not tell that. */
bool hr_index_before_fork(hr_index *index, int milliseconds) {
  (void)hr_index_rest(index, milliseconds);
  while (!hr_lock_try_shared(&index->lock)) {
    if (!milliseconds--) return false;
    hr_sleep_ms();
  }
  return true;
}

/* The threads that held the locks, or prepared, are not in the child. */
hr_status hr_index_in_child(hr_index *index) {
  hr_unlock_shared(&index->lock);
  HR_STORE(&index->background.working, HR_RESTING);
  index->preparing = false;
  index->wanting = 0;
  return hr_index_open_locks(index);
}
