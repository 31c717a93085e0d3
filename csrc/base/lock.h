/* A readers-writer lock in which a waiting writer goes before new readers. */
#ifndef HR_LOCK_H
#define HR_LOCK_H

#include <stdbool.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
typedef SRWLOCK hr_lock;
static inline int hr_lock_init(hr_lock *lock) {
  InitializeSRWLock(lock);
  return 0;
}
static inline void hr_lock_destroy(hr_lock *lock) { (void)lock; }
static inline void hr_lock_shared(hr_lock *lock) { AcquireSRWLockShared(lock); }
static inline void hr_unlock_shared(hr_lock *lock) { ReleaseSRWLockShared(lock); }
static inline bool hr_lock_try_shared(hr_lock *lock) { return TryAcquireSRWLockShared(lock); }
static inline void hr_lock_exclusive(hr_lock *lock) { AcquireSRWLockExclusive(lock); }
static inline bool hr_lock_try_exclusive(hr_lock *lock) { return TryAcquireSRWLockExclusive(lock); }
static inline void hr_unlock_exclusive(hr_lock *lock) { ReleaseSRWLockExclusive(lock); }
static inline void hr_sleep_ms(void) { Sleep(1); }
#else
#include <pthread.h>
#include <time.h>
typedef pthread_rwlock_t hr_lock;
static inline int hr_lock_init(hr_lock *lock) {
#ifdef __GLIBC__
  /* glibc's default lets a stream of readers starve a writer for ever. */
  pthread_rwlockattr_t attributes;
  if (pthread_rwlockattr_init(&attributes)) return -1;
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  int failed = pthread_rwlock_init(lock, &attributes);
  pthread_rwlockattr_destroy(&attributes);
  return failed;
#else
  return pthread_rwlock_init(lock, NULL);
#endif
}
static inline void hr_lock_destroy(hr_lock *lock) { pthread_rwlock_destroy(lock); }
static inline void hr_lock_shared(hr_lock *lock) { pthread_rwlock_rdlock(lock); }
static inline void hr_unlock_shared(hr_lock *lock) { pthread_rwlock_unlock(lock); }
static inline bool hr_lock_try_shared(hr_lock *lock) { return !pthread_rwlock_tryrdlock(lock); }
static inline void hr_lock_exclusive(hr_lock *lock) { pthread_rwlock_wrlock(lock); }
static inline bool hr_lock_try_exclusive(hr_lock *lock) { return !pthread_rwlock_trywrlock(lock); }
static inline void hr_unlock_exclusive(hr_lock *lock) { pthread_rwlock_unlock(lock); }
static inline void hr_sleep_ms(void) {
  struct timespec pause = {0, 1000000};
  nanosleep(&pause, NULL);
}
#endif

#endif
