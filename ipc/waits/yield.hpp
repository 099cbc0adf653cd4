// Never sleeps, but lets others have the CPU between looks: sched_yield(2). For ends that share a
// CPU; with nobody else to run it is a slower Spin.
#pragma once

#include <sched.h>

#include "ipc/wait.hpp"

namespace ipc {

struct Yield : OwnsNothing<Yield> {
  using OwnsNothing::OwnsNothing;
  static constexpr std::string_view name = "yield";
  static constexpr bool spins = true;

  template <class Ready>
  bool await(Place&, Ready&& ready, Deadline deadline) {
    return spin_until(deadline, ready, 16, ::sched_yield);
  }
  void notify(Place&) {}
};

static_assert(WaitStrategy<Yield>);

}  // namespace ipc
