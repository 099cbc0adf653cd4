// Shared memory under a mutex and condition variables of glibc, process-shared: what
// pthread_cond_init(3) teaches. As it comes: when a process is killed while it waits inside a
// condition variable, the others hang when they signal it (glibc bug 21422).
#pragma once

#include <pthread.h>

#include "ipc/condvar_sync.hpp"
#include "ipc/locked_fifo.hpp"
#include "ipc/locks/robust_mutex.hpp"
#include "ipc/mapping.hpp"

namespace ipc {

struct ShmCondvar {
  static constexpr std::string_view name = "shm_condvar";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .waiter_may_be_killed = false,
      .tries_without_waiting = false,  // who signals may wait for a waiter that was killed
      .wait = "condition variable",
  };

  struct Glibc {
    static constexpr std::string_view kind = "fifo<condvar>";

    using Mutex = RobustMutex;  // an owner that died needs no repair: see MessageFifo

    class Condition {
     public:
      Condition() {
        pthread_condattr_t attributes;
        ::pthread_condattr_init(&attributes);
        ::pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_cond_init(&condition_, &attributes);
        ::pthread_condattr_destroy(&attributes);
      }
      // Not destroyed: that waits for those inside, and one of them may have been killed.

      void wait(Mutex& mutex) { mutex.wait(condition_); }
      void notify_all() { ::pthread_cond_broadcast(&condition_); }

     private:
      pthread_cond_t condition_;
    };
  };

  using Sync = CondvarSync<Glibc>;
  using Sender = LockedFifoSender<Sync, Mapping>;
  using Receiver = LockedFifoReceiver<Sync, Mapping>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return open_locked_fifo<Sync>(Mapping::create(LockedFifo<Sync>::bytes_for(options)),
                                  Lifeline::open(), options);
  }
};

static_assert(Channel<ShmCondvar>);

}  // namespace ipc
