// A ticket lock: each one draws a number and polls until it is called. First come, first served.
#pragma once

#include <atomic>
#include <cstdint>

#include "ipc/lock.hpp"
#include "ipc/locks/spin.hpp"

namespace ipc {

class TicketLock {
 public:
  static constexpr std::string_view name = "ticket";
  static constexpr LockTraits traits{
      .crosses_processes = true,
      .waiter_may_be_killed = false,  // its number is called, and nobody comes
      .fair = true,
      .spins = true,
  };

  void lock() {
    const std::uint32_t number = next_.fetch_add(1, std::memory_order_relaxed);
    // Acquire: what was written before unlock() is visible to us.
    spin_and_yield([&] { return called_.load(std::memory_order_acquire) == number; });
  }
  void unlock() {
    // Nobody else writes it meanwhile. Partner of the release: lock.
    called_.store(called_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  std::atomic<std::uint32_t> next_{0};  // numbers wrap around
  std::atomic<std::uint32_t> called_{0};
};

static_assert(Lock<TicketLock>);

}  // namespace ipc
