// A mutex in shared memory that outlives its owner: pthread, process-shared, robust.
#pragma once

#include <pthread.h>

#include <cerrno>

#include "ipc/deadline.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// Lives in memory that processes share and is constructed there once, by the creator.
// BasicLockable. When the owner dies, the next lock() succeeds and says so: the data may be half
// changed, and whoever gets `owner_died` repairs it before unlock()
// (pthread_mutexattr_setrobust(3)).
class RobustMutex {
 public:
  enum class Locked { clean, owner_died };

  RobustMutex() {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    const int error = ::pthread_mutex_init(&mutex_, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
    if (error != 0) throw_errno("pthread_mutex_init", error);
  }
  RobustMutex(const RobustMutex&) = delete;
  RobustMutex& operator=(const RobustMutex&) = delete;
  // Not destroyed: other processes may still use it, and on Linux there is nothing to release.

  Locked lock() {
    const int error = ::pthread_mutex_lock(&mutex_);
    if (error == 0) return Locked::clean;
    if (error != EOWNERDEAD) throw_errno("pthread_mutex_lock", error);
    if (const int failed = ::pthread_mutex_consistent(&mutex_); failed != 0) {
      throw_errno("pthread_mutex_consistent", failed);
    }
    return Locked::owner_died;
  }

  void unlock() { ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_;
};

}  // namespace ipc
