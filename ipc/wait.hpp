// How to wait for shared memory to change: a parameter of the mechanisms that have no kernel
// object. A strategy belongs to one end; the eventcount beside the data is what the two ends share.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string_view>

#include "ipc/deadline.hpp"
#include "ipc/eventcount.hpp"

namespace ipc {

// Tells the core that this is a spinning loop.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class W>
concept WaitStrategy = std::default_initializable<W> &&
    requires(W wait, Eventcount& event, bool (*ready)(), Deadline deadline) {
  { W::name } -> std::convertible_to<std::string_view>;
  { W::spins } -> std::convertible_to<bool>;
  // True once ready() is; false at the deadline.
  { wait.await(event, ready, deadline) } -> std::same_as<bool>;
  // Called after ready() was made true.
  { W::notify(event) } -> std::same_as<void>;
};

// Polls `ready` at most `rounds` times. The pause between polls leaves the line that is polled
// alone while its writer is still writing.
template <class Ready>
bool spin(Ready&& ready, std::uint32_t rounds) {
  for (std::uint32_t round = 0; round < rounds; ++round) {
    if (ready()) return true;
    relax();
  }
  return false;
}

// Never sleeps: the fastest answer, for a CPU of its own.
struct Spin {
  static constexpr std::string_view name = "spin";
  static constexpr bool spins = true;

  template <class Ready>
  bool await(Eventcount&, Ready&& ready, Deadline deadline) {
    constexpr std::uint32_t rounds_between_clock_reads = 1024;
    if (deadline.is_now()) return ready();
    for (;;) {
      if (spin(ready, rounds_between_clock_reads)) return true;
      if (deadline.expired()) return ready();
    }
  }
  static void notify(Eventcount&) {}
};

// Sleeps at once: the least CPU time, a wake-up for each answer that was not there yet.
struct Futex {
  static constexpr std::string_view name = "futex";
  static constexpr bool spins = false;

  template <class Ready>
  bool await(Eventcount& event, Ready&& ready, Deadline deadline) {
    return event.await(ready, deadline);
  }
  static void notify(Eventcount& event) { event.notify_all(); }
};

// Spins for as long as spinning has been paying off, then sleeps.
class Adaptive {
 public:
  static constexpr std::string_view name = "adaptive";
  static constexpr bool spins = false;

  template <class Ready>
  bool await(Eventcount& event, Ready&& ready, Deadline deadline) {
    if (deadline.is_now()) return ready();
    if (spin(ready, rounds_)) {
      rounds_ = std::min(rounds_ + rounds_ / 2, rounds_max);
      return true;
    }
    rounds_ = std::max(rounds_ / 2, rounds_min);
    return event.await(ready, deadline);
  }
  static void notify(Eventcount& event) { event.notify_all(); }

 private:
  // A round with a pause is 10 to 50 ns: the most is about what a sleep and a wake-up cost, the
  // least still notices when the peer has become quick again.
  static constexpr std::uint32_t rounds_max = 2048;
  static constexpr std::uint32_t rounds_min = 64;
  std::uint32_t rounds_ = rounds_max;
};

static_assert(WaitStrategy<Spin> && WaitStrategy<Futex> && WaitStrategy<Adaptive>);

}  // namespace ipc
