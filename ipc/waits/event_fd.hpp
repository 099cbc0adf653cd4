// Sleeps on a descriptor, so that an end can also wait for other things beside it: eventfd(2),
// looked at through epoll(7).
//
// Who reads an eventfd takes the wake-up away from those who sleep beside it. So nobody reads it:
// each end has an epoll of its own, edge-triggered, and every write is an edge in each of them. A
// waiter that is killed, or that wakes for a change which was not the one it waits for, takes
// nothing from the others.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "ipc/eventcount.hpp"
#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"
#include "ipc/wait.hpp"

namespace ipc {

class EventFd {
 public:
  static constexpr std::string_view name = "eventfd";
  static constexpr bool spins = false;
  using Place = Sleepers;  // who notifies writes only when somebody sleeps

  static EventFd open() {
    return EventFd(Fd(check("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); })));
  }
  [[nodiscard]] EventFd clone() const { return EventFd(event_.duplicate()); }

  explicit EventFd(Parcel& parcel) : event_(parcel.take_fd()), armed_(parcel.take<bool>()) {}
  void pack(Parcel& parcel) && {
    parcel.put(std::move(event_));
    parcel.put(armed_);
  }

  template <class Ready>
  bool await(Place& place, Ready&& ready, Deadline deadline) {
    if (ready()) return true;
    if (!deadline.is_now()) {
      return place.await(ready, [&] { return next_edge(deadline); });
    }
    if (!armed_) return false;
    // Whoever waits outside for descriptor() is told of what comes after this, not of what came.
    next_edge(deadline);
    return ready();
  }
  void notify(Place& place) {
    if (place.any()) {
      retry_interrupted([&] { return ::eventfd_write(event_.get(), 1); });
    }
  }

  // Polls as POLLIN after a notify() that comes after an await() which failed. From now on every
  // notify() at this place writes.
  int descriptor(Place& place) {
    if (!armed_) place.enter();
    armed_ = true;
    return edges();
  }

 private:
  explicit EventFd(Fd event) : event_(std::move(event)) {}

  // Made when it is needed: most ends of most channels never sleep at most of their places.
  int edges() {
    if (!edges_.valid()) {
      Fd made(check("epoll_create1", [] { return ::epoll_create1(EPOLL_CLOEXEC); }));
      epoll_event edge{};
      edge.events = EPOLLIN | EPOLLET;
      check("epoll_ctl",
            [&] { return ::epoll_ctl(made.get(), EPOLL_CTL_ADD, event_.get(), &edge); });
      edges_ = std::move(made);
    }
    return edges_.get();
  }

  // Sleeps until a write that no call before has seen; may return for an older one. False only at
  // the deadline.
  bool next_edge(Deadline deadline) {
    timespec left{};
    if (!deadline.is_never()) left = deadline.remaining();
    epoll_event edge{};
    const int count =
        ::epoll_pwait2(edges(), &edge, 1, deadline.is_never() ? nullptr : &left, nullptr);
    if (count == -1 && errno != EINTR) throw_errno("epoll_pwait2");
    return count != 0;
  }

  Fd event_;  // one open file, whatever the number of ends
  Fd edges_;
  bool armed_ = false;
};

static_assert(WaitStrategy<EventFd>);

}  // namespace ipc
