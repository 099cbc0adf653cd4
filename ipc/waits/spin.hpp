// Never sleeps: the fastest answer, for a CPU of its own.
#pragma once

#include "ipc/wait.hpp"

namespace ipc {

struct Spin : OwnsNothing<Spin> {
  using OwnsNothing::OwnsNothing;
  static constexpr std::string_view name = "spin";
  static constexpr bool spins = true;

  // The pause between looks leaves the line alone while its writer is still writing.
  template <class Ready>
  bool await(Place&, Ready&& ready, Deadline deadline) {
    return spin_until(deadline, ready, 1024, relax);
  }
  void notify(Place&) {}
};

static_assert(WaitStrategy<Spin>);

}  // namespace ipc
