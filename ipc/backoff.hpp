// Waiting for what cannot be waited for.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "ipc/deadline.hpp"

namespace ipc {

// For what has no wait with a monotonic deadline: look again, less and less often.
class Backoff {
 public:
  // False at the deadline.
  bool wait(Deadline deadline) {
    if (deadline.expired()) return false;
    std::this_thread::sleep_for(step_);
    step_ = std::min(step_ * 2, longest);
    return true;
  }

 private:
  static constexpr std::chrono::microseconds longest{1000};
  std::chrono::microseconds step_{20};
};

}  // namespace ipc
