// The FifoSync (ipc/locked_fifo.hpp) of a robust mutex and two eventcounts: whoever is killed, at
// whatever point, harms nobody else.
#pragma once

#include <string_view>

#include "ipc/backoff.hpp"
#include "ipc/deadline.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/locks/robust_mutex.hpp"

namespace ipc {

class MutexSync {
 public:
  static constexpr std::string_view kind = "fifo<mutex>";
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
  void free_senders() { room_.notify_all(); }
  void free_receivers() { message_.notify_all(); }

 private:
  template <class Ready>
  bool enter(Eventcount& event, Ready& ready, Deadline deadline) {
    while (event.await(ready, deadline)) {
      // An owner that died needs no repair: see MessageFifo.
      if (!lock_until(mutex_, deadline)) return false;
      if (ready()) return true;
      mutex_.unlock();  // somebody else was quicker
    }
    return false;
  }

  RobustMutex mutex_;
  Eventcount message_;
  Eventcount room_;
};

}  // namespace ipc
