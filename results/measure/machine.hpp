// What a run file says about the machine and the build that were measured. No host names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/run_file.hpp"

namespace results {

// The processor, the kernel and how they are set. Its member "id" names the folder for the data of
// this kind of machine. What cannot be read here is null.
Json machine();

// Limits of the kernel and of this process that mechanisms meet; null where there is none.
Json limits();

// The compiler, its flags, the commit and the libraries.
Json build();

// The CPUs that this process may use.
Json placement();

// What else the machine was doing: load averages, and the seconds that the hypervisor took.
struct Activity {
  Json load_average;
  double steal_s = 0;  // since boot, summed over CPUs

  static Activity now();
};

// "AMD EPYC", 2 CPUs, "kvm" -> "amd-epyc-2cpu-kvm". `virtualization` is empty on bare metal.
std::string machine_id(std::string_view cpu_model, std::size_t cpus,
                       std::string_view virtualization);

// {0, 1, 2, 5} -> "0-2,5".
std::string cpu_list(const std::vector<int>& cpus);

}  // namespace results
