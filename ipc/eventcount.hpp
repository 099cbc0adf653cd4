// Sleep until something in shared memory is so: the part of a condition variable that survives
// its users. A waiter that is killed leaves a count too high, which costs the others one needless
// system call a notification and nothing else (glibc's condition variable hangs: bug 21422).
#pragma once

#include <cstdint>

#include "ipc/futex.hpp"

namespace ipc {

// All bytes zero is a valid, fresh eventcount.
class Eventcount {
 public:
  // Waits until ready() is true; false at the deadline. Whoever makes ready() true calls
  // notify_all() after it.
  template <class Ready>
  bool await(Ready&& ready, Deadline deadline) {
    if (ready()) return true;
    if (deadline.is_now()) return false;
    // Of this increment and the read-modify-write in notify_all one comes first. If ours does, the
    // notifier sees a sleeper and wakes it; if theirs does, we acquire what it published and
    // ready() is true below. So no notification is missed.
    sleepers_.fetch_add(1, std::memory_order_acq_rel);
    bool result = false;
    for (bool in_time = true;;) {
      const std::uint32_t epoch = epoch_.load(std::memory_order_acquire);  // partner: notify_all
      if ((result = ready()) || !in_time) break;
      in_time = futex_wait(epoch_, epoch, deadline);
    }
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return result;
  }

  // Everything that the caller wrote before is visible to the waiters that this wakes.
  void notify_all() {
    if (sleepers_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
    epoch_.fetch_add(1, std::memory_order_release);
    futex_wake(epoch_);
  }

 private:
  FutexWord epoch_{0};
  FutexWord sleepers_{0};
};

}  // namespace ipc
