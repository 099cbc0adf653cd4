// Four loops that never change, measured beside every block: when one of them is off, the machine
// is.
#pragma once

#include <array>
#include <string_view>

namespace results {

struct Controls {
  static constexpr std::array<std::string_view, 4> names = {"spin", "memcpy", "system_call",
                                                            "futex"};
  std::array<double, 4> ns{};  // of one pass of each loop, in the order of the names
};

// Takes about 10 ms: the median of several passes of each.
//  spin         dependent additions: the clock rate, and who else is on the core
//  memcpy       1 MiB there and back: caches and memory
//  system_call  getppid(2): what entering the kernel costs
//  futex        two threads on one CPU that wake each other, futex(2): the scheduler
Controls measure_controls();

}  // namespace results
