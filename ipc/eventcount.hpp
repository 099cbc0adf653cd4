// Sleep until something in shared memory is so: the part of a condition variable that survives
// its users. A waiter that is killed leaves a count too high, which costs the others one needless
// system call a notification and nothing else (glibc's condition variable hangs: bug 21422).
#pragma once

#include <cstdint>

#include "ipc/futex.hpp"

namespace ipc {

// How many sleep, so that waking nobody costs no system call. All bytes zero is a fresh one.
class Sleepers {
 public:
  // Looks at ready() and calls sleep() in turns; true once ready() is, false when sleep() says that
  // the deadline has come. Whoever makes ready() true asks any() after it, and wakes.
  template <class Ready, class Sleep>
  bool await(Ready&& ready, Sleep&& sleep) {
    enter();
    bool result = false;
    for (bool in_time = true; !(result = ready()) && in_time;) in_time = sleep();
    count_.fetch_sub(1, std::memory_order_relaxed);
    return result;
  }

  // One that sleeps, as far as others can tell.
  // Of this increment and the read-modify-write in any() one comes first. If ours does, the
  // notifier sees a sleeper and wakes it; if theirs does, we acquire what it published and
  // ready() is true afterwards. So no notification is missed.
  void enter() { count_.fetch_add(1, std::memory_order_acq_rel); }
  [[nodiscard]] bool any() { return count_.fetch_add(0, std::memory_order_acq_rel) != 0; }

 private:
  std::atomic<std::uint32_t> count_{0};
};

// All bytes zero is a valid, fresh eventcount.
class Eventcount {
 public:
  // Waits until ready() is true; false at the deadline. Whoever makes ready() true calls
  // notify_all() after it.
  template <class Ready>
  bool await(Ready&& ready, Deadline deadline) {
    if (ready()) return true;
    if (deadline.is_now()) return false;
    std::uint32_t epoch = 0;
    const auto look = [&] {
      epoch = epoch_.load(std::memory_order_acquire);  // partner: notify_all
      return ready();
    };
    return sleepers_.await(look, [&] { return futex_wait(epoch_, epoch, deadline); });
  }

  // Everything that the caller wrote before is visible to the waiters that this wakes.
  void notify_all() {
    if (!sleepers_.any()) return;
    epoch_.fetch_add(1, std::memory_order_release);
    futex_wake(epoch_);
  }

 private:
  FutexWord epoch_{0};
  Sleepers sleepers_;
};

}  // namespace ipc
