// Sleeps at once on a word of the shared memory: the least CPU time, and a wake-up for each answer
// that was not there yet. futex(2)
#pragma once

#include "ipc/wait.hpp"

namespace ipc {

struct Futex : OwnsNothing<Futex> {
  using OwnsNothing::OwnsNothing;
  static constexpr std::string_view name = "futex";
  static constexpr bool spins = false;

  template <class Ready>
  bool await(Place& place, Ready&& ready, Deadline deadline) {
    return place.await(ready, deadline);
  }
  void notify(Place& place) { place.notify_all(); }
};

static_assert(WaitStrategy<Futex>);

}  // namespace ipc
