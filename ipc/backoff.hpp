// For what has no wait with a monotonic deadline, or none that survives a peer that is killed: look
// again, less and less often.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "ipc/deadline.hpp"

namespace ipc {

class Backoff {
 public:
  // Sleeps for a while; false at the deadline.
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

// Locks what has no lock with a monotonic deadline (or one that ThreadSanitizer does not know, as
// pthread_mutex_clocklock(3)). False at the deadline; with Deadline::now() it tries once.
template <class Mutex>
bool lock_until(Mutex& mutex, Deadline deadline) {
  if (deadline.is_never()) {
    mutex.lock();
    return true;
  }
  for (Backoff backoff; !mutex.try_lock();) {
    if (!backoff.wait(deadline)) return false;
  }
  return true;
}

}  // namespace ipc
