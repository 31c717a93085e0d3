/* Making what searches need on a thread of the index's own.
 *
 * It is there while it works, and is joined before another one is started, before the index is
 * freed and, if it stops in time, before the process forks. What it has not finished is begun anew.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "index/internal.h"

/* After it failed, as it ran out of memory, it pauses so many times as long as it took, and no less
 * than that. */
#define PAUSE 10
#define LEAST_PAUSE_NS 1e9

HR_THREAD(work, argument) {
  hr_index *index = argument;
  hr_background *background = &index->background;
  double began = hr_now_ns();
  hr_status status = hr_index_wait_building(index, &background->cancel);
  if (!status) {
    status = hr_index_build(index, false, &background->cancel);
    hr_unlock_exclusive(&index->building);
  }
  double ended = hr_now_ns(), pause = PAUSE * (ended - began);
  if (status && status != HR_CANCELLED) {
    hr_index_lock(index);
    background->pause = ended + (pause > LEAST_PAUSE_NS ? pause : LEAST_PAUSE_NS);
    hr_index_unlock(index);
  }
  HR_STORE(&background->working, HR_ENDED);
  return HR_THREAD_OVER;
}

/* Joins a thread that has ended; `starting` is held. */
static void join(hr_background *background) {
  if (HR_LOAD(&background->working) != HR_ENDED) return;
  hr_thread_join(background->thread);
  HR_STORE(&background->working, HR_RESTING);
}

/* Whether a thread works now; `starting` is held. */
static bool start(hr_index *index) {
  hr_background *background = &index->background;
  join(background);
  if (hr_index_working(index)) return true;
  HR_STORE(&background->cancel, 0);
  HR_STORE(&background->working, HR_WORKING);
  if (hr_thread_start(&background->thread, work, index)) return true;
  HR_STORE(&background->working, HR_RESTING);
  return false;
}

bool hr_prepare_beside(hr_index *index, size_t queries) {
  hr_lock_shared(&index->lock);
  hr_missing missing = hr_index_missing(index, false);
  bool beside =
      hr_index_takes_long(index, missing) && !hr_index_worth_waiting(index, missing, queries);
  hr_unlock_shared(&index->lock);
  if (!beside) return false;
  hr_lock_exclusive(&index->background.starting);
  bool works = start(index);
  hr_unlock_exclusive(&index->background.starting);
  return works;
}

bool hr_index_working(const hr_index *index) {
  return HR_LOAD(&index->background.working) == HR_WORKING;
}

bool hr_index_rest(hr_index *index, int milliseconds) {
  hr_background *background = &index->background;
  hr_lock_exclusive(&background->starting);
  if (hr_index_working(index)) HR_STORE(&background->cancel, 1);
  for (; hr_index_working(index) && milliseconds; milliseconds -= milliseconds > 0) hr_sleep_ms();
  bool over = !hr_index_working(index);
  join(background);
  hr_unlock_exclusive(&background->starting);
  return over;
}
