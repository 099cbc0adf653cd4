// An event between processes: a flag that can be waited for.
#pragma once

#include <string_view>

#include "ipc/deadline.hpp"
#include "ipc/futex.hpp"

namespace pools {

// Lock-free. Whoever is killed, at whatever point, harms nobody: see pools::patience.
class Event {
 public:
  static constexpr std::string_view kind = "event";

  // Who waits, or comes to wait before clear(), goes on, and sees what the caller wrote before.
  void set();
  void clear();
  [[nodiscard]] bool is_set() const;

  // True once it is set, or was set while the caller waited; false at the deadline.
  [[nodiscard]] bool wait(ipc::Deadline deadline = ipc::Deadline::never()) const;

 private:
  ipc::FutexWord turns_{0};  // how often it was set or cleared: it is set when that is odd
};

}  // namespace pools
