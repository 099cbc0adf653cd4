// What a pool can be told. One type for every kind, so that the kind stays one word.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "pools/exception_codec.hpp"
#include "pools/initializer.hpp"

namespace pools {

inline constexpr std::size_t workers_max = 256;

// What submit() does when Options::queue_capacity tasks wait already.
enum class WhenFull : std::uint8_t {
  block,       // waits for room
  reject,      // throws QueueFull
  caller_runs  // runs the task itself
};

// What is done about a task whose worker died, or that threw.
struct Retry {
  unsigned times = 0;       // that it is run once more
  bool exceptions = false;  // also when it threw, not only when its worker died
};

// What is done about workers that die without having taken a task. One that dies with a task is
// replaced at once: such deaths end when the tasks do.
struct Restart {
  std::size_t idle_deaths_max = 100;   // in a row; one more breaks the pool
  std::size_t start_failures_max = 3;  // of the initializer in a row; as many break the pool
  // Before the replacement of the second one in a row; doubles with each, up to the longest.
  std::chrono::milliseconds pause{1};
  std::chrono::milliseconds pause_max{100};
};

// Of what worker processes are copies: of a zygote, a process that is forked
enum class StartMethod : std::uint8_t {
  zygote,  // where the program says: Options::zygote, or else when the pool is made
  fork,    // when the pool is made, always: workers see everything that exists then
  spawn    // from the program started anew: nothing is inherited (serve_if_spawned())
};

class Zygote;

struct Options {
  std::size_t workers = 0;    // 0: one for each CPU that this process may use
  Initializer initializer{};  // what each worker does before its first task
  // Tasks that no worker has yet. 0: as many as memory holds.
  std::size_t queue_capacity = 0;
  WhenFull when_full = WhenFull::block;

  // The rest is for process pools.
  // Without a zygote that was made before, zygote and fork require a process with one thread.
  StartMethod start = StartMethod::zygote;
  const Zygote* zygote = nullptr;  // outlives the pool; may serve several
  // Workers that are there though there is nothing to do; the others come when tasks do, and go
  // when they were idle for idle_timeout. None: all workers are there from the start.
  std::optional<std::size_t> workers_min{};
  std::chrono::milliseconds idle_timeout{60'000};
  // A worker is replaced after so many tasks, or when its resident memory is more than so much.
  // 0: never.
  std::size_t worker_tasks_max = 0;
  std::size_t worker_memory_bytes_max = 0;
  Retry retry{};  // of tasks that do not say otherwise (TaskOptions)
  Restart restart{};
  std::size_t prefetch = 2;       // tasks in a worker's channel; 1: none waits behind a running one
  std::size_t message_bytes = 0;  // longer tasks and results are cut; 0: what suits the channel
  // Longer tasks and results lie in shared memory, and the channel says where: that is faster as
  // soon as they would be cut. 0: none do, all goes through the channel.
  std::size_t shared_memory_bytes = 4096;
  // Of tasks, which come back as themselves: exception_types<ParseError, IoError>. Their decoding
  // may not use the pool. A type that is not listed comes back as RemoteError.
  ExceptionTypes exceptions = nullptr;
  // Allows construction when the process already has other threads. A worker then inherits every
  // lock as it was at that moment, held ones included, and a task that takes such a one hangs.
  bool fork_with_threads = false;
};

// What one task can be told: submit(TaskOptions{...}, function, args...).
struct TaskOptions {
  // After so long of running this_task::stop_requested() is true. 0: never.
  std::chrono::nanoseconds soft_timeout{0};
  // After so long of running the worker is killed, and the task gets TaskTimedOut. 0: never. For
  // process pools: a thread cannot be killed.
  std::chrono::nanoseconds hard_timeout{0};
  std::optional<Retry> retry{};  // none: as Options says. For process pools
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
