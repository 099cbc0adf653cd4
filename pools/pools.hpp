// The registry: every pool there is, in the order in which tables show them. It follows from the
// registries of channels and locks: a new one has its pool without an entry here.
// Link ipc::channels.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/all_channels.hpp"
#include "ipc/locks.hpp"
#include "pools/process_pool.hpp"
#include "pools/thread_pool.hpp"

namespace pools {

struct PoolKind {
  std::string name;                               // process_pipe, thread_std_mutex
  std::string_view over;                          // the channel's or the lock's name
  std::optional<ipc::AnyChannel> channel;         // of a process pool
  AnyThreadPool::MakeQueue make_queue = nullptr;  // of a thread pool

  [[nodiscard]] bool processes() const { return channel.has_value(); }
};

inline std::vector<PoolKind> all_pools() {
  std::vector<PoolKind> kinds;
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    if (!channel.traits.crosses_processes) continue;
    kinds.push_back(
        {.name = "process_" + std::string(channel.name), .over = channel.name, .channel = channel});
  }
  ipc::ThreadLocks::for_each([&]<class L>() {
    kinds.push_back({.name = std::string(ThreadPool<L>::name),
                     .over = L::name,
                     .channel = std::nullopt,
                     .make_queue = ThreadPool<L>::make_queue});
  });
  return kinds;
}

// A pool that is chosen when the program runs: processes or threads, the vocabulary is the same.
// Everything is as ProcessPool and ThreadPool say; tasks keep to what both can do.
class AnyPool : public Verbs<AnyPool> {
 public:
  explicit AnyPool(const PoolKind& kind, const Options& options = {}) {
    if (kind.processes()) {
      processes_.emplace(*kind.channel, options);
    } else {
      threads_.emplace(options, kind.make_queue);
    }
  }

  [[nodiscard]] std::size_t workers() const {
    return processes_ ? processes_->workers() : threads_->workers();
  }

  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(F&& function, Args&&... args) -> Future<ResultOf<F, Args...>> {
    return processes_ ? processes_->submit(std::forward<F>(function), std::forward<Args>(args)...)
                      : threads_->submit(std::forward<F>(function), std::forward<Args>(args)...);
  }

  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(const TaskOptions& options, F&& function, Args&&... args)
      -> Future<ResultOf<F, Args...>> {
    return processes_
               ? processes_->submit(options, std::forward<F>(function), std::forward<Args>(args)...)
               : threads_->submit(options, std::forward<F>(function), std::forward<Args>(args)...);
  }

  void resize(std::size_t workers) {
    processes_ ? processes_->resize(workers) : threads_->resize(workers);
  }
  void cancel_pending() { processes_ ? processes_->cancel_pending() : threads_->cancel_pending(); }
  void close() { processes_ ? processes_->close() : threads_->close(); }
  void join() { processes_ ? processes_->join() : threads_->join(); }
  void terminate() { processes_ ? processes_->terminate() : threads_->terminate(); }

 private:
  std::optional<AnyProcessPool> processes_;  // one of the two
  std::optional<AnyThreadPool> threads_;
};

}  // namespace pools
