// The answer to a task, when there is one.
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

#include "pools/errors.hpp"
#include "pools/task_state.hpp"

namespace pools {

// What a future is, whatever it gives: wait() and as_completed() take futures of many types.
class AnyFuture {
 public:
  AnyFuture() = default;
  AnyFuture(std::shared_ptr<TaskState> state, std::shared_ptr<Engine> engine)
      : state_(std::move(state)), engine_(std::move(engine)) {}

  // False for a default-constructed future, and after get().
  [[nodiscard]] bool valid() const { return state_ != nullptr; }

  // What follows throws std::future_error when this is not valid.

  // Never blocks. True means that get() will not block either.
  [[nodiscard]] bool ready() const { return wait(ipc::Deadline::now()); }

  // Waits for the answer; false at the deadline.
  bool wait(ipc::Deadline deadline = ipc::Deadline::never()) const {
    require_valid();
    return state_->ready() || engine_->wait(*state_, deadline);
  }

  // Never blocks.
  [[nodiscard]] Phase state() const;

  // True when the task will not run and has not run: get() throws Cancelled. False when a worker
  // has begun it, or when it has its answer. Never blocks.
  bool cancel();
  [[nodiscard]] bool cancelled() const;

  // Waits for the answer. The task's error, which get() would throw; null when it has a value.
  [[nodiscard]] std::exception_ptr error() const;

  // Calls it once when there is an answer, in the order in which callbacks were added; at once when
  // there is one already. It is called by whichever thread takes in the answer: one that waits, or
  // one of the pool. It should be quick, and take no lock that is held while waiting for a future.
  // What it throws is reported on standard error.
  void on_done(std::function<void()> callback);

  // For those who wait for many.
  [[nodiscard]] const std::shared_ptr<TaskState>& task_state() const { return state_; }
  [[nodiscard]] const std::shared_ptr<Engine>& engine() const { return engine_; }

 protected:
  void require_valid() const {
    if (!valid()) throw std::future_error(std::future_errc::no_state);
  }

  std::shared_ptr<TaskState> state_;
  std::shared_ptr<Engine> engine_;
};

// Resolves exactly once: with the task's value, its exception (its own type where that is possible,
// else RemoteError), Cancelled, WorkerDied, PoolTerminated or PoolBroken. Never left without an
// answer. Belongs to one thread at a time. Destroying it neither waits nor cancels: the task runs
// on.
template <class R>
class Future : public AnyFuture {
 public:
  using Take = R (*)(TaskState&);

  Future() = default;
  Future(std::shared_ptr<TaskState> state, std::shared_ptr<Engine> engine, Take take)
      : AnyFuture(std::move(state), std::move(engine)), take_(take) {}
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  // Waits for the answer and takes it: once. Throws TimedOut at the deadline, and can be asked
  // again then.
  R get(ipc::Deadline deadline = ipc::Deadline::never()) {
    if (!wait(deadline)) throw TimedOut("the task has no answer yet");
    const auto state = std::exchange(state_, nullptr);
    const auto engine = std::exchange(engine_, nullptr);
    state->check();
    return take_(*state);
  }

  // Calls callback(Future<R>) with this future, once, when it is ready: as on_done() calls.
  template <class Callback>
  requires std::invocable<Callback&, Future>
  void then(Callback callback) && {
    require_valid();
    AnyFuture watched = *this;
    // Shared, because std::function copies what it holds.
    auto held =
        std::make_shared<std::pair<Callback, Future>>(std::move(callback), std::move(*this));
    watched.on_done([held] { held->first(std::move(held->second)); });
  }

  // The same answer for code that knows std::future.
  std::future<R> to_std() && {
    auto promise = std::make_shared<std::promise<R>>();
    auto future = promise->get_future();
    std::move(*this).then([promise](Future ready) {
      try {
        if constexpr (std::is_void_v<R>) {
          ready.get();
          promise->set_value();
        } else {
          promise->set_value(ready.get());
        }
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
    });
    return future;
  }

 private:
  Take take_ = nullptr;
};

}  // namespace pools
