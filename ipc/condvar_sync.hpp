// The FifoSync (ipc/locked_fifo.hpp) of a mutex and two condition variables, glibc's or Boost's.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string_view>

#include "ipc/backoff.hpp"
#include "ipc/deadline.hpp"

namespace ipc {

// P::kind names the layout. P::Mutex has lock(), try_lock() and unlock(). P::Condition has
// wait(Mutex&), which may return for no reason, and notify_all().
// Both libraries hang when they signal a condition variable in which a process was killed (glibc
// bug 21422). So only a wait without a deadline waits inside it: whoever has a deadline wants to
// get over a peer that is killed, and looks again and again.
template <class P>
class CondvarSync {
 public:
  static constexpr std::string_view kind = P::kind;
  static constexpr bool counts_messages = false;

  template <class Ready>
  bool enter_to_push(Ready&& ready, Deadline deadline) {
    return enter(room_, ready, deadline);
  }
  template <class Ready>
  bool enter_to_pop(Ready&& ready, Deadline deadline) {
    return enter(message_, ready, deadline);
  }
  void leave_push(bool pushed) {
    mutex_.unlock();
    if (pushed) message_.notify_all();
  }
  void leave_pop(bool popped) {
    mutex_.unlock();
    if (popped) room_.notify_all();
  }
  void free_senders() { free(room_); }
  void free_receivers() { free(message_); }

 private:
  using Mutex = typename P::Mutex;
  using Condition = typename P::Condition;

  template <class Ready>
  bool enter(Condition& condition, Ready& ready, Deadline deadline) {
    if (deadline.is_never()) {
      mutex_.lock();
      while (!ready()) condition.wait(mutex_);
      return true;
    }
    for (Backoff backoff;;) {
      if (ready()) {
        if (!lock_until(mutex_, deadline)) return false;
        if (ready()) return true;
        mutex_.unlock();  // somebody else was quicker
      }
      if (!backoff.wait(deadline)) return false;
    }
  }

  // Takes the lock once, so that nobody is between a look at the flag and its sleep; but not for
  // ever, from a peer that was stopped while it held it.
  void free(Condition& condition) {
    try {
      if (lock_until(mutex_, Deadline::in(std::chrono::seconds(1)))) mutex_.unlock();
    } catch (const std::runtime_error&) {
      // The lock is lost; whoever enters next is told so.
    }
    condition.notify_all();
  }

  Mutex mutex_;
  Condition message_;
  Condition room_;
};

}  // namespace ipc
