// Semaphores between processes that get back what a killed process held.
#pragma once

#include <cstdint>
#include <string_view>

#include "ipc/deadline.hpp"
#include "pools/shared/holdings.hpp"
#include "pools/shared/monitor.hpp"

namespace pools {

// What both semaphores have in common. A permit is held by the process whose thread has acquired
// it; any of its threads may release it. When a process is gone its permits are given back, as soon
// as somebody has waited for one for pools::patience, or tries in vain. An acquire throws
// std::runtime_error when more than Holdings::processes_max processes hold permits.
class Permits {
 public:
  // False at the deadline.
  bool acquire(ipc::Deadline deadline = ipc::Deadline::never());
  // The permits that are free now.
  [[nodiscard]] std::uint64_t value();

 protected:
  explicit Permits(std::uint32_t value) : all_(value) {}

  template <class Take>
  bool take_one(Take take, ipc::Deadline deadline);
  [[nodiscard]] std::uint64_t free() const { return all_ - held_.total(); }

  Monitor monitor_;
  Monitor::Change released_;
  std::uint64_t all_;  // free or held
  Holdings held_;
};

// Starts with `value` permits, and never has more of them.
class BoundedSemaphore : public Permits {
 public:
  static constexpr std::string_view kind = "bounded_semaphore";
  explicit BoundedSemaphore(std::uint32_t value = 1) : Permits(value) {}

  // Throws std::logic_error when the calling process holds none.
  void release();
};

// Anybody may release, so it also counts events. Who holds a permit gives back that one; who holds
// none adds one. A permit that is acquired here to be released there is nobody's meanwhile: take it
// with consume(), or the death of the one who acquired it would give it back a second time.
class Semaphore : public Permits {
 public:
  static constexpr std::string_view kind = "semaphore";
  explicit Semaphore(std::uint32_t value = 1) : Permits(value) {}

  void release(std::uint32_t count = 1);
  // As acquire(), but takes the permit for good: it belongs to no process.
  bool consume(ipc::Deadline deadline = ipc::Deadline::never());
};

}  // namespace pools
