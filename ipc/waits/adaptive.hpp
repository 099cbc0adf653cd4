// Spins for as long as spinning has been paying off, then sleeps as Futex does.
#pragma once

#include <algorithm>

#include "ipc/wait.hpp"

namespace ipc {

class Adaptive : public OwnsNothing<Adaptive> {
 public:
  using OwnsNothing::OwnsNothing;
  static constexpr std::string_view name = "adaptive";
  static constexpr bool spins = false;

  template <class Ready>
  bool await(Place& place, Ready&& ready, Deadline deadline) {
    if (deadline.is_now()) return ready();
    if (spin(ready, rounds_, relax)) {
      rounds_ = std::min(rounds_ + rounds_ / 2, rounds_max);
      return true;
    }
    rounds_ = std::max(rounds_ / 2, rounds_min);
    return place.await(ready, deadline);
  }
  void notify(Place& place) { place.notify_all(); }

 private:
  // A round with a pause is 10 to 50 ns: the most is about what a sleep and a wake-up cost. The
  // least still notices a peer that has become quick again, who answers across CPUs in 0.1 to 0.3
  // us, and is little beside a sleep where spinning never pays off, as on one CPU.
  static constexpr std::uint32_t rounds_max = 2048;
  static constexpr std::uint32_t rounds_min = 8;
  std::uint32_t rounds_ = rounds_max;
};

static_assert(WaitStrategy<Adaptive>);

}  // namespace ipc
