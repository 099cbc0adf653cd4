#include "pools/shared/event.hpp"

#include <cstdint>

#include "pools/shared/monitor.hpp"

namespace pools {

namespace {

bool odd(std::uint32_t turns) {
  return turns % 2 == 1;
}

}  // namespace

void Event::set() {
  std::uint32_t turns = turns_.load(std::memory_order_relaxed);
  // Release: what the caller wrote before is visible to who waits (partners: is_set, wait).
  while (!odd(turns) && !turns_.compare_exchange_weak(turns, turns + 1, std::memory_order_release,
                                                      std::memory_order_relaxed)) {
  }
  // Also when it was set already: whoever set it may have been killed before this.
  ipc::futex_wake(turns_);
}

void Event::clear() {
  std::uint32_t turns = turns_.load(std::memory_order_relaxed);
  // Who waits and sees only this turn sees what set() has published all the same: a
  // read-modify-write goes on with what it found.
  while (odd(turns) && !turns_.compare_exchange_weak(turns, turns + 1, std::memory_order_relaxed)) {
  }
}

bool Event::is_set() const {
  return odd(turns_.load(std::memory_order_acquire));  // partner: set
}

bool Event::wait(ipc::Deadline deadline) const {
  const std::uint32_t before = turns_.load(std::memory_order_acquire);  // partner: set
  if (odd(before)) return true;
  // In pieces: who was killed behind its change has woken nobody.
  while (turns_.load(std::memory_order_acquire) == before) {
    const auto piece = earlier(deadline, ipc::Deadline::in(patience));
    if (!ipc::futex_wait(turns_, before, piece) && deadline.expired()) {
      return turns_.load(std::memory_order_acquire) != before;
    }
  }
  return true;
}

}  // namespace pools
