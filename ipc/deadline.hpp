// When to give up. One absolute instant on the monotonic clock, so that an interrupted wait is
// resumed and not restarted, and a step of the wall clock changes nothing.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>

namespace ipc {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC on Linux: futexes take it as it is

  // Waits for as long as it takes.
  static constexpr Deadline never() { return Deadline(Clock::time_point::max()); }
  // Tries once and does not wait.
  static constexpr Deadline now() { return Deadline(Clock::time_point::min()); }
  static Deadline in(Clock::duration wait) { return Deadline(Clock::now() + wait); }

  [[nodiscard]] constexpr bool is_never() const { return at_ == Clock::time_point::max(); }
  [[nodiscard]] constexpr bool is_now() const { return at_ == Clock::time_point::min(); }
  // Reads the clock only when it has to.
  [[nodiscard]] bool expired() const { return is_now() || (!is_never() && Clock::now() >= at_); }

  // Time left, never negative: what ppoll(2) takes. Requires !is_never().
  [[nodiscard]] timespec remaining() const {
    if (is_now()) return {};
    return to_timespec(std::max(Clock::duration::zero(), at_ - Clock::now()));
  }
  // The instant itself: what FUTEX_WAIT_BITSET takes. Requires !is_never() and !is_now().
  [[nodiscard]] timespec absolute() const { return to_timespec(at_.time_since_epoch()); }

  friend constexpr Deadline earlier(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

 private:
  constexpr explicit Deadline(Clock::time_point at) : at_(at) {}

  static timespec to_timespec(Clock::duration time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    return {static_cast<time_t>(seconds.count()),
            static_cast<long>(std::chrono::nanoseconds(time - seconds).count())};
  }

  Clock::time_point at_;
};

}  // namespace ipc
