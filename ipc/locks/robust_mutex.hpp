// A mutex in shared memory that outlives its owner: pthread, process-shared, robust
// (pthread_mutexattr_setrobust(3)).
#pragma once

#include <linux/futex.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "ipc/layout.hpp"
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
    check_kind();
    return locked("pthread_mutex_lock", ::pthread_mutex_lock(&mutex_));
  }

  // Nothing when somebody holds it.
  std::optional<Locked> try_lock() {
    check_kind();
    const int error = ::pthread_mutex_trylock(&mutex_);
    if (error == EBUSY) return std::nullopt;
    return locked("pthread_mutex_trylock", error);
  }

  void unlock() { ::pthread_mutex_unlock(&mutex_); }

  // Whether the calling thread has it: the word that the kernel looks through when a thread ends
  // has its number (set_robust_list(2)).
  [[nodiscard]] bool is_mine() const {
    const int word = __atomic_load_n(&mutex_.__data.__lock, __ATOMIC_RELAXED);
    return (word & FUTEX_TID_MASK) == ::gettid();
  }

  // Waits until the condition is signalled, or for no reason. Requires the lock, and has it then.
  Locked wait(pthread_cond_t& condition) {
    return locked("pthread_cond_wait", ::pthread_cond_wait(&condition, &mutex_));
  }

 private:
  // glibc believes whatever a peer has written here, and aborts over some of it.
  void check_kind() const {
    static const int ours = RobustMutex().mutex_.__data.__kind;
    if (mutex_.__data.__kind != ours) throw_damaged("its mutex is not the one that was made there");
  }

  Locked locked(const char* call, int error) {
    if (error == 0) return Locked::clean;
    if (error != EOWNERDEAD) throw_errno(call, error);
    if (const int failed = ::pthread_mutex_consistent(&mutex_); failed != 0) {
      throw_errno("pthread_mutex_consistent", failed);
    }
    return Locked::owner_died;
  }

  pthread_mutex_t mutex_;
};

static_assert(Lock<RobustMutex>);

}  // namespace ipc
