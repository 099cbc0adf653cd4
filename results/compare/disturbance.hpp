// Was a block of measurements disturbed by something else on the machine?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/compare/controls.hpp"

namespace results {

// Counters of the kernel that only grow.
struct MachineLoad {
  double cpu_s = 0;                   // of all CPUs, idle time included
  double steal_s = 0;                 // that the hypervisor took, proc(5)
  std::optional<double> throttled_s;  // of this control group's quota; none without one

  static MachineLoad now();
};

// What was watched while a block was measured.
struct Watch {
  Controls controls;
  double steal_share = 0;  // of all CPU time
  double throttled_s = 0;
};

Watch watched(const MachineLoad& before, const MachineLoad& after, const Controls& controls);

inline constexpr double steal_share_max = 0.05;
inline constexpr double control_deviations_max = 5;  // robust standard deviations of all blocks
inline constexpr double control_change_max = 0.50;   // and this share of their median

// For each block why it is thrown out, or an empty text. A control is a reason when it is slower
// than those of all blocks by more than both limits; from five blocks on, as before there is
// nothing to tell what is usual.
std::vector<std::string> disturbances(const std::vector<Watch>& blocks);

}  // namespace results
