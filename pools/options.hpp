// What a pool can be told. One type for every kind, so that the kind stays one word.
#pragma once

#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace pools {

inline constexpr std::size_t workers_max = 256;

struct Options {
  std::size_t workers = 0;  // 0: one for each CPU that this process may use

  // The rest is for process pools.
  std::size_t prefetch = 2;       // tasks in a worker's channel; 1: none waits behind a running one
  std::size_t message_bytes = 0;  // longer tasks and results are cut; 0: what suits the channel
  // So many workers that die in a row without having taken a task break the pool: a worker that
  // cannot live is not started for ever.
  std::size_t idle_deaths_max = 100;
  // Allows construction when the process already has other threads. A worker then inherits every
  // lock as it was at that moment, held ones included, and a task that takes such a one hangs.
  bool fork_with_threads = false;
};

// The workers that these options ask for. Throws std::invalid_argument when there are too many.
inline std::size_t worker_count(const Options& options) {
  if (options.workers > workers_max) {
    throw std::invalid_argument("workers is " + std::to_string(options.workers) + ", a pool has " +
                                std::to_string(workers_max) + " at most");
  }
  if (options.workers > 0) return options.workers;
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::clamp<std::size_t>(static_cast<std::size_t>(CPU_COUNT(&cpus)), 1, workers_max);
}

}  // namespace pools
