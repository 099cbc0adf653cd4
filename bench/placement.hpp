// Where the two sides of a row run. An unpinned number is a lottery: waking a peer on another CPU
// can cost ten times what it costs on the same one.
#pragma once

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/axes.hpp"
#include "ipc/syscall.hpp"

namespace bench {

inline cpu_set_t affinity() {
  cpu_set_t set;
  ipc::check("sched_getaffinity", [&] { return ::sched_getaffinity(0, sizeof set, &set); });
  return set;
}

inline void set_affinity(const cpu_set_t& set) {
  ipc::check("sched_setaffinity", [&] { return ::sched_setaffinity(0, sizeof set, &set); });
}

// The CPUs that this process may use. The first two have a core each wherever there are two cores.
class Placement {
 public:
  // Requires that the caller is not pinned by an earlier row.
  Placement() : allowed_(affinity()) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &allowed_)) cpus_.push_back(cpu);
    }
    if (two_cpus()) std::swap(cpus_[1], *other_core());
  }

  [[nodiscard]] std::size_t cpus() const { return cpus_.size(); }
  [[nodiscard]] bool two_cpus() const { return cpus() > 1; }

  // Pins the calling thread.
  void pin_main(Cpus cpus) const { set_affinity(cpus == Cpus::any ? allowed_ : only(cpus_[0])); }
  void pin_peer(Cpus cpus) const { set_affinity(peer_set(cpus)); }
  // Where the peer runs, for one that has to be told. Requires two_cpus() for Cpus::cross.
  [[nodiscard]] cpu_set_t peer_set(Cpus cpus) const {
    return cpus == Cpus::any ? allowed_ : cpus == Cpus::same ? only(cpus_[0]) : only(cpus_.at(1));
  }
  // Several that work at the same time go round the CPUs.
  void pin_worker(std::size_t worker) const { set_affinity(only(cpus_[worker % cpus_.size()])); }

  // For the context of a run: "same: 0; cross: 0, 1; any: 2 CPUs".
  [[nodiscard]] std::string text() const {
    const std::string first = std::to_string(cpus_[0]);
    return "same: " + first +
           (two_cpus() ? "; cross: " + first + ", " + std::to_string(cpus_[1]) : "") +
           "; any: " + std::to_string(cpus_.size()) + (cpus_.size() == 1 ? " CPU" : " CPUs");
  }

 private:
  static cpu_set_t only(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return set;
  }

  // The first CPU that does not share a core with cpus_[0]; where there is none, its sibling.
  [[nodiscard]] std::vector<int>::iterator other_core() {
    const auto core = [](int cpu) {
      std::string siblings;  // CPUs of one core have the same list
      std::ifstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                    "/topology/thread_siblings_list") >>
          siblings;
      return siblings.empty() ? std::to_string(cpu) : siblings;
    };
    const auto found = std::find_if(cpus_.begin(), cpus_.end(),
                                    [&](int cpu) { return core(cpu) != core(cpus_[0]); });
    return found == cpus_.end() ? cpus_.begin() + 1 : found;
  }

  cpu_set_t allowed_;
  std::vector<int> cpus_;
};

// Pins the thread that measures, for one row.
class Pinned {
 public:
  Pinned(const Placement& placement, Cpus cpus) : placement_(placement) {
    placement_.pin_main(cpus);
  }
  Pinned(const Placement& placement, std::size_t worker) : placement_(placement) {
    placement_.pin_worker(worker);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { placement_.pin_main(Cpus::any); }

 private:
  const Placement& placement_;
};

}  // namespace bench
