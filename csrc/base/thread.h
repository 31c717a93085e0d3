/* A thread that takes no signals: those belong to the caller's program. */
#ifndef HR_THREAD_H
#define HR_THREAD_H

#include <stdbool.h>

/* HR_THREAD(name, argument) { ...; return HR_THREAD_OVER; } is what a thread does. */
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <process.h>
#include <windows.h>
typedef HANDLE hr_thread;
typedef unsigned(__stdcall *hr_thread_work)(void *);
#define HR_THREAD(name, argument) static unsigned __stdcall name(void *argument)
#define HR_THREAD_OVER 0
static inline bool hr_thread_start(hr_thread *thread, hr_thread_work work, void *argument) {
  *thread = (HANDLE)_beginthreadex(NULL, 0, work, argument, 0, NULL);
  return *thread != NULL;
}
static inline void hr_thread_join(hr_thread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}
#else
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
typedef pthread_t hr_thread;
typedef void *(*hr_thread_work)(void *);
#define HR_THREAD(name, argument) static void *name(void *argument)
#define HR_THREAD_OVER NULL
/* False if the system has none left. */
static inline bool hr_thread_start(hr_thread *thread, hr_thread_work work, void *argument) {
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before)) return false;
  bool started = !pthread_create(thread, NULL, work, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}
static inline void hr_thread_join(hr_thread thread) { pthread_join(thread, NULL); }
#endif

#endif
