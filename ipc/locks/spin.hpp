// A test-and-test-and-set lock: who waits polls until the lock looks free, then tries to take it.
#pragma once

#include <sched.h>

#include <atomic>

#include "ipc/lock.hpp"
#include "ipc/wait.hpp"

namespace ipc {

// Polls until ready(). Whoever has to make it true may have lost its CPU, perhaps to us: after
// about as long as a short critical section the CPU is offered to others.
template <class Ready>
void spin_and_yield(Ready&& ready) {
  constexpr std::uint32_t rounds_between_yields = 128;
  while (!spin(ready, rounds_between_yields, relax)) ::sched_yield();
}

class SpinLock {
 public:
  static constexpr std::string_view name = "spin";
  static constexpr LockTraits traits{.crosses_processes = true, .spins = true};

  void lock() {
    // Acquire: what was written before unlock() is visible to us.
    while (taken_.exchange(true, std::memory_order_acquire)) {
      // Reads until then: a write would take the cache line away from the others each time.
      spin_and_yield([&] { return !taken_.load(std::memory_order_relaxed); });
    }
  }
  void unlock() { taken_.store(false, std::memory_order_release); }  // partner: lock

 private:
  std::atomic<bool> taken_{false};
};

static_assert(Lock<SpinLock>);

}  // namespace ipc
