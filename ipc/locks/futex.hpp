// The mutex of Ulrich Drepper, "Futexes Are Tricky" (2011), section 6: one word with three states.
// Takes and gives back a free lock without a system call; futex(2) only where somebody waits.
#pragma once

#include "ipc/futex.hpp"
#include "ipc/lock.hpp"

namespace ipc {

class FutexLock {
 public:
  static constexpr std::string_view name = "futex";
  static constexpr LockTraits traits{
      .crosses_processes = true,
      .waiter_may_be_killed = false,  // it may have been woken, in place of the others
  };

  void lock() {
    std::uint32_t expected = free;
    // Acquire, here and below: what was written before unlock() is visible to us.
    if (state_.compare_exchange_strong(expected, taken, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      return;
    }
    // We take it as `awaited` although nobody may wait any more: who was woken cannot know. That
    // costs one needless wake-up.
    while (state_.exchange(awaited, std::memory_order_acquire) != free) {
      futex_wait(state_, awaited, Deadline::never());
    }
  }
  void unlock() {
    // Partner of the release: lock.
    if (state_.exchange(free, std::memory_order_release) == awaited) futex_wake(state_, 1);
  }

 private:
  static constexpr std::uint32_t free = 0;
  static constexpr std::uint32_t taken = 1;    // and nobody waits
  static constexpr std::uint32_t awaited = 2;  // taken, and somebody may be asleep

  FutexWord state_{free};
};

static_assert(Lock<FutexLock>);

}  // namespace ipc
