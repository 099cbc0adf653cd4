// How to wait for shared memory to change: a parameter of the mechanisms that have no kernel
// object. The strategies are in ipc/waits/, a file each.
//
// A strategy has two parts: a Place in shared memory, beside the data, and an object W that each
// end keeps for itself, with whatever the end needs beside the memory (a descriptor, what it
// learned).
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ipc/deadline.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

template <class W>
concept WaitStrategy = std::movable<W> && std::constructible_from<W, Parcel&> &&
    std::is_trivially_destructible_v<typename W::Place> &&  // all bytes zero is a fresh one
    requires(W wait, const W& shared, typename W::Place& place, bool (*ready)(), Deadline deadline,
             Parcel& parcel) {
  { W::name } -> std::convertible_to<std::string_view>;
  { W::spins } -> std::convertible_to<bool>;  // keeps its CPU busy
  // For a new place. Every end that waits or notifies there holds a clone, or its packed copy.
  { W::open() } -> std::same_as<W>;
  { shared.clone() } -> std::same_as<W>;
  { std::move(wait).pack(parcel) } -> std::same_as<void>;
  // True once ready() is; false at the deadline.
  { wait.await(place, ready, deadline) } -> std::same_as<bool>;
  // Called after ready() was made true. Everybody who waits at this place looks again.
  { wait.notify(place) } -> std::same_as<void>;
};

// A strategy whose ends share nothing but an eventcount in the memory.
template <class W>
class OwnsNothing {
 public:
  using Place = Eventcount;

  OwnsNothing() = default;
  explicit OwnsNothing(Parcel&) {}

  static W open() { return W(); }
  [[nodiscard]] W clone() const { return W(); }
  void pack(Parcel&) && {}
};

// Tells the core that this is a spinning loop.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Looks at `ready` at most `rounds` times, with a pause() after each look that fails.
template <class Ready, class Pause>
bool spin(Ready&& ready, std::uint32_t rounds, Pause&& pause) {
  for (std::uint32_t round = 0; round < rounds; ++round) {
    if (ready()) return true;
    pause();
  }
  return false;
}

// The same until the deadline; reads the clock once in so many rounds.
template <class Ready, class Pause>
bool spin_until(Deadline deadline, Ready&& ready, std::uint32_t rounds, Pause&& pause) {
  if (deadline.is_now()) return ready();
  for (;;) {
    if (spin(ready, rounds, pause)) return true;
    if (deadline.expired()) return ready();
  }
}

}  // namespace ipc
