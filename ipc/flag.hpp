// A flag in shared memory that is raised once and never lowered.
#pragma once

#include <atomic>
#include <cstdint>

namespace ipc {

// A word and no bool: a peer may write anything there, and a bool may not hold just anything.
class Flag {
 public:
  // Everything that the caller wrote before is visible to whoever sees it raised.
  void raise() { word_.store(1, std::memory_order_release); }  // partner: raised
  [[nodiscard]] bool raised() const { return word_.load(std::memory_order_acquire) != 0; }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace ipc
