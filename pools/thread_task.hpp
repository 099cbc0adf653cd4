// A task that threads run: a call with its arguments, and then its result, in one allocation.
#pragma once

#include <cxxabi.h>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "pools/errors.hpp"
#include "pools/task_state.hpp"
#include "pools/this_task.hpp"

namespace pools {

// Whoever made begin() true runs it, or gives it up: once.
class ThreadTask : public TaskState {
 public:
  // Runs it, resolves it, and calls back. Does not throw, except for what pthread_exit(3) does to
  // the thread: that goes on when the task is resolved, with ThreadEnded.
  virtual void run() = 0;
  // Forgets the call. It is to be resolved with an error then.
  virtual void give_up() = 0;

  std::chrono::nanoseconds soft_timeout{0};  // TaskOptions::soft_timeout
};
using ThreadTaskPtr = std::shared_ptr<ThreadTask>;

// Makes a task the one that this thread runs. A task that waits may run another meanwhile.
class RunningTask {
 public:
  explicit RunningTask(std::chrono::nanoseconds soft_timeout)
      : outer_(std::exchange(detail::running_task, {})) {
    if (soft_timeout.count() > 0) {
      detail::running_task.soft_deadline = ipc::Deadline::in(soft_timeout);
    }
  }
  RunningTask(const RunningTask&) = delete;
  ~RunningTask() { detail::running_task = outer_; }

 private:
  TaskContext outer_;
};

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

  // GCC has no object of abi::__forced_unwind: the reference that catches it names null, which
  // UBSan would tell of.
  __attribute__((no_sanitize("null"))) void run() override {
    const RunningTask running(this->soft_timeout);
    std::exception_ptr error;
    try {
      if constexpr (std::is_void_v<R>) {
        std::apply(call_.function, std::move(call_.arguments));
      } else {
        this->result_.emplace(std::apply(call_.function, std::move(call_.arguments)));
      }
    } catch (abi::__forced_unwind&) {
      finish(std::make_exception_ptr(ThreadEnded()));
      throw;
    } catch (...) {
      error = std::current_exception();
    }
    finish(std::move(error));
  }

  void give_up() override {
    holds_call_ = false;
    std::destroy_at(&call_);
  }

 private:
  struct Call {
    F function;
    std::tuple<Args...> arguments;
  };

  void finish(std::exception_ptr error) {
    give_up();  // what the task held is gone when its future is ready
    this->resolve(std::move(error));
    this->run_callbacks();
  }

  // Not std::optional: it asks whether F can be assigned, and then GCC 12 takes a lambda with
  // captures for one that cannot be copied as bytes, which process pools want of the same F.
  union {
    Call call_;
  };
  bool holds_call_ = true;
};

}  // namespace pools
