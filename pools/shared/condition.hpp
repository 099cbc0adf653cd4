// A condition between processes: waits, with a lock let go meanwhile, until another one notifies.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string_view>

#include "ipc/deadline.hpp"
#include "pools/shared/holdings.hpp"
#include "pools/shared/lock.hpp"
#include "pools/shared/monitor.hpp"

namespace pools {

// Used with one Lock or RLock, which guards what is waited for: who waits has it, who notifies has
// it. A waiter that is killed harms nobody: a notification is taken only by who has the lock again,
// and until it is noticed that one of the waiters is gone, a notification may wake one too many.
class Condition {
 public:
  static constexpr std::string_view kind = "condition";

  struct Woken {
    bool notified;      // or the predicate is true; false at the deadline
    Acquired acquired;  // the lock: done or recovered, never timed_out
    explicit operator bool() const { return notified; }
  };

  // Lets the lock go until it is notified, and has it again then, as often as before and however
  // long that takes. Returns at once when the lock's last owner was killed (Acquired::recovered).
  // Throws std::logic_error when the calling thread does not have the lock, std::runtime_error when
  // more than Holdings::processes_max processes wait.
  Woken wait(OwnedLock& lock, ipc::Deadline deadline = ipc::Deadline::never());

  // The same until predicate() is true, asked with the lock.
  template <std::predicate P>
  Woken wait(OwnedLock& lock, P predicate, ipc::Deadline deadline = ipc::Deadline::never()) {
    Woken woken{.notified = true, .acquired = Acquired::done};
    while (!predicate()) {
      if (!woken) return woken;
      woken = wait(lock, deadline);
      if (woken.acquired == Acquired::recovered) return {predicate(), woken.acquired};
    }
    return {true, woken.acquired};
  }

  // Wakes `count` of those who wait now, or all of them if they are fewer.
  void notify(std::uint32_t count = 1);
  void notify_all() { notify(std::numeric_limits<std::uint32_t>::max()); }

 private:
  class Place;

  Monitor monitor_;
  Monitor::Change notice_;
  Holdings waiting_;
  std::uint64_t tickets_ = 0;  // one for each wait, in order
  std::uint64_t told_ = 0;     // the tickets before this one may take a notification
  std::uint64_t owed_ = 0;     // notifications that nobody has taken yet
};

}  // namespace pools
