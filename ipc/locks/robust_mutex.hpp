// A mutex in shared memory that outlives its owner: pthread, process-shared, robust
// (pthread_mutexattr_setrobust(3)).
#pragma once

#include <pthread.h>

#include <cerrno>

#include "ipc/lock.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

class RobustMutex {
 public:
  static constexpr std::string_view name = "robust_mutex";
  static constexpr LockTraits traits{.crosses_processes = true, .owner_death = OwnerDeath::frees};

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

  // Says whether its last owner was killed: the data may be half changed, and whoever gets
  // `owner_died` repairs it before unlock().
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

static_assert(Lock<RobustMutex>);

}  // namespace ipc
