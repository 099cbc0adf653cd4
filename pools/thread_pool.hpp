// Work on threads, over one queue guarded by a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "ipc/joined_name.hpp"
#include "ipc/lock.hpp"
#include "pools/call.hpp"
#include "pools/future.hpp"
#include "pools/options.hpp"
#include "pools/thread_queue.hpp"
#include "pools/verbs.hpp"

namespace pools {

// The same vocabulary as ProcessPool. Arguments and results are copied or moved, not encoded, and a
// function may hold what it likes. A task that ends the process ends it for everybody; one that
// ends its thread (pthread_exit) gets ThreadEnded, and the pool has a new thread. A task may wait
// for tasks of its own pool: its thread runs them meanwhile. All members may be called from any
// thread at any time, except for join(), shutdown(), terminate() and the destructor, which a task
// of this pool must not call.
class AnyThreadPool : public Verbs<AnyThreadPool> {
 public:
  using MakeQueue = std::shared_ptr<TaskQueue> (*)(const Options&);

  // Throws std::invalid_argument for options that cannot be, std::system_error when there is no
  // thread to be had. An initializer that throws breaks the pool, later.
  AnyThreadPool(const Options& options, MakeQueue make_queue);
  AnyThreadPool(AnyThreadPool&&) = delete;
  // Waits until every task is done.
  ~AnyThreadPool();

  [[nodiscard]] std::size_t workers() const { return workers_.load(std::memory_order_relaxed); }

  // Waits for room where Options::queue_capacity and when_full say so, except in a task of this
  // pool, which runs the new one itself. Throws PoolClosed, PoolBroken or QueueFull.
  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(F&& function, Args&&... args) -> Future<ResultOf<F, Args...>> {
    return submit(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...);
  }
  // The same, with limits of its own. Throws std::invalid_argument for those that only a process
  // can keep.
  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(const TaskOptions& options, F&& function, Args&&... args)
      -> Future<ResultOf<F, Args...>> {
    using R = ResultOf<F, Args...>;
    check_options(options);
    auto task = std::make_shared<CallTask<R, std::decay_t<F>, std::decay_t<Args>...>>(
        std::forward<F>(function), std::forward<Args>(args)...);
    task->soft_timeout = options.soft_timeout;
    if (!queue_->push(task) && task->begin()) task->run();
    return {std::move(task), queue_,
            [](TaskState& state) { return static_cast<ResultTask<R>&>(state).take(); }};
  }

  // So many threads from now on. Those that are too many end when they have ended their tasks.
  // Throws std::invalid_argument; std::system_error when there is no thread to be had: those that
  // are there serve, and the next call tries again.
  void resize(std::size_t workers);

  // Cancels every task that no thread has begun.
  void cancel_pending();
  // Takes no more tasks.
  void close() { queue_->close(); }
  // Waits until every task is done and every thread has ended. Requires close() or terminate():
  // std::logic_error otherwise.
  void join();
  // Tasks that were not begun get PoolTerminated. A thread cannot be killed: those that run are
  // waited for, and keep their results.
  void terminate();

 private:
  static void check_options(const TaskOptions& options) {
    if (options.hard_timeout.count() == 0 && !options.retry) return;
    throw std::invalid_argument(
        "hard_timeout and retry are for process pools: a thread can neither be killed nor die "
        "alone; "
        "a thread pool takes soft_timeout");
  }

  void start(std::size_t index);
  void run(std::size_t index);

  std::atomic<std::size_t> workers_;
  const std::shared_ptr<TaskQueue> queue_;
  const Initializer initializer_;
  std::mutex joining_;  // held while threads are joined
  std::mutex threads_mutex_;
  std::vector<std::thread> threads_;  // by index
};

// Over a lock that is chosen when the program is written.
template <ipc::Lock L>
class ThreadPool : public AnyThreadPool {
  static constexpr std::string_view prefix = "thread_";

 public:
  static constexpr std::string_view name = ipc::JoinedName<prefix, L::name>::value;

  explicit ThreadPool(const Options& options = {}) : AnyThreadPool(options, make_queue) {}

  static std::shared_ptr<TaskQueue> make_queue(const Options& options) {
    return std::make_shared<ThreadQueue<L>>(options);
  }
};

}  // namespace pools
