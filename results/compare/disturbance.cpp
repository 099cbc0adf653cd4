#include "results/compare/disturbance.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "results/statistics/median.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"

namespace results {
namespace {

// cpu.stat of the control group that this process is in, version 2 (kernel, cgroup-v2.rst).
std::optional<double> throttled_s() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    std::ifstream stat("/sys/fs/cgroup" + line.substr(3) + "/cpu.stat");
    std::string key;
    for (double value = 0; stat >> key >> value;) {
      if (key == "throttled_usec") return value / 1e6;
    }
  }
  return std::nullopt;
}

std::string off_control(const std::vector<Watch>& blocks, std::size_t block) {
  for (std::size_t control = 0; control < Controls::names.size(); ++control) {
    std::vector<double> all;
    for (const Watch& watch : blocks) all.push_back(watch.controls.ns[control]);
    const double usual = median(all);
    const double slower = all[block] - usual;
    if (slower > control_deviations_max * robust_sigma(all) &&
        slower > control_change_max * usual) {
      return fmt::format("the control {} took {:.2f} times as long as usual",
                         Controls::names[control], blocks[block].controls.ns[control] / usual);
    }
  }
  return {};
}

}  // namespace

MachineLoad MachineLoad::now() {
  MachineLoad load;
  std::ifstream stat("/proc/stat");
  std::string cpu;
  stat >> cpu;
  // user nice system idle iowait irq softirq steal; the guests' are in user.
  constexpr int columns = 8;
  double value = 0;
  for (int column = 0; column < columns && stat >> value; ++column) load.cpu_s += value;
  load.steal_s = value;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  load.cpu_s /= ticks;
  load.steal_s /= ticks;
  load.throttled_s = results::throttled_s();
  return load;
}

Watch watched(const MachineLoad& before, const MachineLoad& after, const Controls& controls) {
  const double cpu_s = after.cpu_s - before.cpu_s;
  return {.controls = controls,
          .steal_share = cpu_s > 0 ? (after.steal_s - before.steal_s) / cpu_s : 0,
          .throttled_s = after.throttled_s.value_or(0) - before.throttled_s.value_or(0)};
}

std::vector<std::string> disturbances(const std::vector<Watch>& blocks) {
  constexpr std::size_t blocks_min = 5;
  std::vector<std::string> reasons;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Watch& watch = blocks[i];
    if (watch.steal_share > steal_share_max) {
      reasons.push_back(
          fmt::format("the hypervisor took {:.0f} % of the CPU time", 100 * watch.steal_share));
    } else if (watch.throttled_s > 0) {
      reasons.push_back(fmt::format("the control group's quota stopped it for {:.0f} ms",
                                    1e3 * watch.throttled_s));
    } else {
      reasons.push_back(blocks.size() >= blocks_min ? off_control(blocks, i) : std::string());
    }
  }
  return reasons;
}

}  // namespace results
