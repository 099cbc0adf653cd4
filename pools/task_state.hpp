// The seam between futures and those who resolve them: what a future shares with its pool, and what
// it asks of it. A pool of processes resolves its tasks in one way, a pool of threads in another.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <utility>
#include <vector>

#include "ipc/deadline.hpp"
#include "ipc/eventcount.hpp"

namespace pools {

enum class Phase : std::uint8_t {
  pending,    // no worker has begun it
  running,    // a worker has
  done,       // it has its value or its error
  cancelled,  // it has not been begun, and never will be
};

// What a future shares with its pool. It is resolved once, and then never changes.
// Members may be called from any thread at any time, except for check() and error(): those are the
// future's, once this is ready.
class TaskState {
 public:
  using CallbackId = std::uint64_t;

  TaskState() = default;
  TaskState(const TaskState&) = delete;
  TaskState& operator=(const TaskState&) = delete;
  virtual ~TaskState() = default;

  // Never `running` where only the engine knows: ask Engine::running().
  [[nodiscard]] Phase phase() const { return phase_.load(std::memory_order_acquire); }
  // Its value or its error is there.
  [[nodiscard]] bool ready() const { return phase() >= Phase::done; }

  // From pending to running. False when somebody else was faster, to run or to cancel it.
  bool begin() {
    Phase expected = Phase::pending;
    return phase_.compare_exchange_strong(expected, Phase::running, std::memory_order_acq_rel);
  }

  // With the value, which whoever derives from this has stored already, or with an error.
  // Wakes those who wait. Calls nobody back: that is for run_callbacks(), when no lock is held.
  // Requires that no other thread resolves it. Once only: throws std::future_error, and the first
  // answer stays.
  void resolve(std::exception_ptr error = nullptr) { resolve(std::move(error), Phase::done); }
  // With Cancelled. Requires the same, and that no worker has begun it.
  void resolve_cancelled();

  // Calls it once this is resolved: exactly once, in the order of the calls of on_ready(). When it
  // is ready already: at once, here. Its exceptions are reported on standard error.
  CallbackId on_ready(std::function<void()> callback);
  // Drops a callback. It may be running in another thread, or have been called.
  void forget(CallbackId callback);
  // Calls who is to be called. Requires that this is ready, and that the caller holds no lock that
  // a callback may want: a callback may submit, and wait.
  void run_callbacks() {
    if (listened()) call_back();
  }
  // False once it is ready: then run_callbacks() would do nothing, now and later. Of this load and
  // the store in on_ready() one is first in the order of all such: if it is ours, then on_ready()
  // sees that this is ready, and calls by itself.
  [[nodiscard]] bool listened() const { return listened_.load(std::memory_order_seq_cst); }

  // Throws the error, if that is what it was resolved with. Requires ready(). The error is the
  // caller's then: it is not destroyed by another thread that still holds this.
  void check() {
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  // The error, or null. Requires ready().
  [[nodiscard]] std::exception_ptr error() const { return error_; }

  // Does nothing until this is ready; false at the deadline. For those who have no work to do.
  bool sleep(ipc::Deadline deadline) {
    return changed_.await([this] { return ready(); }, deadline);
  }

  // Notified when it is resolved, and when a waiting thread is called to do the pool's work.
  [[nodiscard]] ipc::Eventcount& changed() { return changed_; }

 private:
  struct Callback {
    CallbackId id;
    std::function<void()> call;
  };

  void resolve(std::exception_ptr error, Phase phase) {
    if (ready()) throw std::future_error(std::future_errc::promise_already_satisfied);
    error_ = std::move(error);
    // Publishes the value and the error to whoever sees ready(). The order of all such operations
    // is for run_callbacks().
    phase_.store(phase, std::memory_order_seq_cst);
    changed_.notify_all();
  }
  void call_back();

  std::atomic<Phase> phase_{Phase::pending};
  std::atomic<bool> listened_{false};  // there has been a callback
  std::exception_ptr error_;
  ipc::Eventcount changed_;
  std::mutex callbacks_mutex_;
  std::vector<Callback> callbacks_;
  CallbackId last_id_ = 0;
};

// The part of a pool that resolves futures. Futures share it, so that they may outlive the pool.
// Members may be called from any thread at any time.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  // True once `state` is ready; false at the deadline. The waiting thread may do the pool's work,
  // callbacks included. `state` need not be a task: a callback of this engine's tasks may resolve
  // it, in whichever thread callbacks are run.
  virtual bool wait(TaskState& state, ipc::Deadline deadline) = 0;

  // True when no worker has begun the task: it is resolved with Cancelled then, and is not run.
  // Requires that `state` is a task of this engine. Never waits for a task.
  virtual bool cancel(TaskState& state) = 0;

  // True when a worker has begun the task and there is no answer yet.
  [[nodiscard]] virtual bool running(const TaskState& state) = 0;

  // Whether a task of this engine is what the calling thread is running.
  [[nodiscard]] virtual bool served_by_this_thread() const { return false; }

  // A callback was attached to a task that was not ready: from now on, until it is, answers have to
  // be taken in though nobody waits.
  virtual void attend() = 0;
};

}  // namespace pools
