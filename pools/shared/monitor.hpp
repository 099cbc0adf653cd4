// The lock and the waiting of every shared object here: a monitor (Hoare, "Monitors: An Operating
// System Structuring Concept", 1974) whose users may be killed at any instant.
//
// - Whoever is killed inside leaves the lock to the next one (RobustMutex). There is nothing to
//   repair, because an object's state changes by one store, the last one of a body.
// - Whoever is killed between a change and its notification has told nobody. So who waits looks
//   again after `patience`, and then also for what the dead have left (`rescue`).
// - A waiter that is killed has taken no notification from anybody: a change wakes all.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <utility>

#include "ipc/backoff.hpp"
#include "ipc/deadline.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/futex.hpp"
#include "ipc/locks/robust_mutex.hpp"
#include "ipc/wait.hpp"

namespace pools {

// How long anybody sleeps without a look.
inline constexpr std::chrono::milliseconds patience{50};

class Monitor {
 public:
  // Something that is waited for. Belongs to one monitor.
  class Change {
    friend class Monitor;
    ipc::FutexWord epoch_{0};
    ipc::Sleepers sleepers_;
  };

  // Runs body() inside and returns its result. Waits until others are out, which they are at once:
  // a process that is stopped there (SIGSTOP) holds up the others until it goes on or is killed.
  template <class Body>
  auto with(Body&& body) {
    const std::lock_guard inside(mutex_);
    return body();
  }

  // Runs body() inside as soon as ready() is true there, and returns true; false at the deadline.
  // rescue() is called inside when nobody has told of a change for a while, and at the deadline.
  template <class Ready, class Rescue, class Body>
  bool when(Change& change, Ready&& ready, Rescue&& rescue, ipc::Deadline deadline, Body&& body) {
    Visit inside(mutex_, deadline);
    std::uint32_t epoch = 0;
    const auto look = [&] {
      if (!inside) return false;
      epoch = change.epoch_.load(std::memory_order_relaxed);  // it changes inside
      return ready();
    };
    const auto sleep = [&] {
      if (!inside) return false;
      inside.leave();
      const auto piece = earlier(deadline, ipc::Deadline::in(patience));
      const bool told = ipc::futex_wait(change.epoch_, epoch, piece);
      if (!inside.enter(deadline)) return false;
      if (!told) rescue();
      return !deadline.expired();
    };
    if (!look() && !change.sleepers_.await(look, sleep)) return false;
    body();
    return true;
  }

  // Tells all who wait that something has changed. Called inside, after the change: who wakes first
  // waits until we are out.
  static void notify(Change& change) {
    if (!change.sleepers_.any()) return;
    change.epoch_.fetch_add(1, std::memory_order_relaxed);
    ipc::futex_wake(change.epoch_);
  }

 private:
  // Being inside, or having tried.
  class Visit {
   public:
    Visit(ipc::RobustMutex& mutex, ipc::Deadline deadline) : mutex_(mutex) { enter(deadline); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { leave(); }

    explicit operator bool() const { return inside_; }

    // Others are inside for a moment only, so even who must not wait gives them that moment: a try
    // then fails for its own reasons, or because somebody is stopped inside.
    bool enter(ipc::Deadline deadline) {
      const auto try_lock = [&] { return mutex_.try_lock().has_value(); };
      inside_ = ipc::spin(try_lock, 100, ipc::relax) || ipc::lock_until(mutex_, deadline) ||
                ipc::lock_until(mutex_, ipc::Deadline::in(patience));
      return inside_;
    }
    void leave() {
      if (std::exchange(inside_, false)) mutex_.unlock();
    }

   private:
    ipc::RobustMutex& mutex_;
    bool inside_ = false;
  };

  ipc::RobustMutex mutex_;
};

}  // namespace pools
