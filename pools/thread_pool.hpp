// Work on threads, over one queue guarded by a lock.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "ipc/joined_name.hpp"
#include "ipc/lock.hpp"
#include "pools/call.hpp"
#include "pools/errors.hpp"
#include "pools/future.hpp"
#include "pools/options.hpp"
#include "pools/thread_queue.hpp"
#include "pools/verbs.hpp"

namespace pools {

namespace detail {

template <class R>
class ResultTask : public ThreadTask {
 public:
  R take() {
    if constexpr (!std::is_void_v<R>) return std::move(*result_);
  }

 protected:
  std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>> result_;
};

template <class R, class F, class... Args>
class CallTask final : public ResultTask<R> {
 public:
  template <class G, class... As>
  explicit CallTask(G&& function, As&&... args)
      : call_{F(std::forward<G>(function)), std::tuple<Args...>(std::forward<As>(args)...)} {}
  CallTask(CallTask&&) = delete;
  ~CallTask() override {
    if (holds_call_) std::destroy_at(&call_);
  }

  void call() override {
    std::exception_ptr error;
    try {
      if constexpr (std::is_void_v<R>) {
        std::apply(call_.function, std::move(call_.arguments));
      } else {
        this->result_.emplace(std::apply(call_.function, std::move(call_.arguments)));
      }
    } catch (...) {
      error = std::current_exception();
    }
    holds_call_ = false;  // what the task held is gone when its future is ready
    std::destroy_at(&call_);
    this->resolve(std::move(error));
  }

 private:
  struct Call {
    F function;
    std::tuple<Args...> arguments;
  };
  // Not std::optional: it asks whether F can be assigned, and then GCC 12 takes a lambda with
  // captures for one that cannot be copied as bytes, which process pools want of the same F.
  union {
    Call call_;
  };
  bool holds_call_ = true;
};

}  // namespace detail

// The same vocabulary as ProcessPool. Arguments and results are copied or moved, not encoded, and a
// function may hold what it likes. A task that ends the process ends it for everybody.
// All members may be called from any thread at any time, except for join(), terminate() and the
// destructor, which a task of this pool must not call.
class AnyThreadPool : public Verbs<AnyThreadPool> {
 public:
  // Over a queue for so many threads. Throws std::invalid_argument for options that cannot be,
  // std::system_error when there is no thread to be had.
  AnyThreadPool(const Options& options, std::shared_ptr<TaskQueue> (*make_queue)(std::size_t))
      : workers_(worker_count(options)), queue_(make_queue(workers_)) {
    try {
      for (std::size_t i = 0; i < workers_; ++i) {
        threads_.emplace_back([queue = queue_.get(), i] { queue->serve(i); });
      }
    } catch (...) {
      terminate();
      throw;
    }
  }

  AnyThreadPool(AnyThreadPool&&) = delete;

  // Waits until every task is done.
  ~AnyThreadPool() {
    close();
    join();
  }

  [[nodiscard]] std::size_t workers() const { return workers_; }

  // Throws PoolClosed.
  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(F&& function, Args&&... args) -> Future<ResultOf<F, Args...>> {
    using R = ResultOf<F, Args...>;
    auto task = std::make_shared<detail::CallTask<R, std::decay_t<F>, std::decay_t<Args>...>>(
        std::forward<F>(function), std::forward<Args>(args)...);
    queue_->push(task);
    return {std::move(task), queue_,
            [](TaskState& state) { return static_cast<detail::ResultTask<R>&>(state).take(); }};
  }

  // Takes no more tasks.
  void close() { queue_->close(); }

  // Waits until every task is done and every thread has ended. Requires close() or terminate():
  // std::logic_error otherwise.
  void join() {
    if (!queue_->closed()) {
      throw std::logic_error("join() of a pool that is not closed: close() it first");
    }
    const std::lock_guard hold(joining_);
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  // Tasks that were not begun get PoolTerminated. A thread cannot be killed: those that run are
  // waited for, and keep their results.
  void terminate() {
    close();
    for (const auto& task : queue_->drain()) {
      if (!task->begin()) continue;
      task->resolve(std::make_exception_ptr(PoolTerminated()));
      task->run_callbacks();
    }
    join();
  }

 private:
  const std::size_t workers_;
  const std::shared_ptr<TaskQueue> queue_;
  std::mutex joining_;
  std::vector<std::thread> threads_;
};

// Over a lock that is chosen when the program is written.
template <ipc::Lock L>
class ThreadPool : public AnyThreadPool {
  static constexpr std::string_view prefix = "thread_";

 public:
  static constexpr std::string_view name = ipc::JoinedName<prefix, L::name>::value;

  explicit ThreadPool(const Options& options = {}) : AnyThreadPool(options, make_queue) {}

  static std::shared_ptr<TaskQueue> make_queue(std::size_t threads) {
    return std::make_shared<ThreadQueue<L>>(threads);
  }
};

}  // namespace pools
