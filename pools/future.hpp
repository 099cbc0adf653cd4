// The answer to a task, when there is one.
#pragma once

#include <atomic>
#include <exception>
#include <future>
#include <memory>
#include <utility>

#include "ipc/deadline.hpp"
#include "ipc/eventcount.hpp"

namespace pools {

// What a future shares with its pool. It is resolved once, and then never changes.
class TaskState {
 public:
  [[nodiscard]] bool ready() const { return ready_.load(std::memory_order_acquire); }

  // With the value, which whoever derives from this has stored already, or with an error.
  void resolve(std::exception_ptr error = nullptr) {
    error_ = std::move(error);
    // Publishes the value and the error to whoever sees ready().
    ready_.store(true, std::memory_order_release);
    changed_.notify_all();
  }

  // Throws the error, if that is what it was resolved with. Requires ready(). The error is the
  // caller's then: it is not destroyed by another thread that still holds this.
  void check() {
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  // Notified when it is resolved, and when a waiting thread is called to do the pool's work.
  [[nodiscard]] ipc::Eventcount& changed() { return changed_; }

 private:
  std::atomic<bool> ready_{false};
  std::exception_ptr error_;
  ipc::Eventcount changed_;
};

// The part of a pool that resolves futures. Futures share it, so that they may outlive the pool.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  // True once `state` is ready; false at the deadline. The waiting thread may do the pool's work.
  virtual bool wait(TaskState& state, ipc::Deadline deadline) = 0;
};

// Resolves exactly once: with the task's value, its exception (its own type where that is possible,
// else RemoteError), WorkerDied, PoolTerminated or PoolBroken. Never left without an answer.
// Belongs to one thread at a time. Destroying it neither waits nor cancels: the task runs on.
template <class R>
class Future {
 public:
  using Take = R (*)(TaskState&);

  Future() = default;
  Future(std::shared_ptr<TaskState> state, std::shared_ptr<Engine> engine, Take take)
      : state_(std::move(state)), engine_(std::move(engine)), take_(take) {}

  // False for a default-constructed future, and after get().
  [[nodiscard]] bool valid() const { return state_ != nullptr; }

  // Never blocks. True means that get() will not block either.
  [[nodiscard]] bool ready() { return wait(ipc::Deadline::now()); }

  // Waits for the answer; false at the deadline.
  bool wait(ipc::Deadline deadline = ipc::Deadline::never()) {
    require_valid();
    return state_->ready() || engine_->wait(*state_, deadline);
  }

  // Waits for the answer and takes it: once.
  R get() {
    wait();
    const auto state = std::exchange(state_, nullptr);
    const auto engine = std::exchange(engine_, nullptr);
    state->check();
    return take_(*state);
  }

 private:
  void require_valid() const {
    if (!valid()) throw std::future_error(std::future_errc::no_state);
  }

  std::shared_ptr<TaskState> state_;
  std::shared_ptr<Engine> engine_;
  Take take_ = nullptr;
};

}  // namespace pools
