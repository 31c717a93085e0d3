/* A clock for short times. */
#ifndef HR_CLOCK_H
#define HR_CLOCK_H

#include <time.h>

static inline double hr_now_ns(void) {
  struct timespec now;
#ifdef _WIN32
  timespec_get(&now, TIME_UTC);
#else
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

#endif
