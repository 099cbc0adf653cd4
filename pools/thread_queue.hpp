// The queue of a thread pool, and those who serve it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "ipc/eventcount.hpp"
#include "ipc/lock.hpp"
#include "pools/errors.hpp"
#include "pools/future.hpp"
#include "pools/guarded.hpp"

namespace pools {

// A task that any thread of its pool can run.
class ThreadTask : public TaskState {
 public:
  virtual ~ThreadTask() = default;
  // Runs it and resolves it, unless it was cancelled. Does not throw.
  void run() {
    if (!begin()) return;
    call();
    run_callbacks();
  }

 protected:
  // Runs it and resolves it. Does not throw.
  virtual void call() = 0;
};
using ThreadTaskPtr = std::shared_ptr<ThreadTask>;

// All members may be called from any thread at any time.
class TaskQueue : public Engine {
 public:
  virtual ~TaskQueue() = default;

  // Throws PoolClosed.
  virtual void push(ThreadTaskPtr task) = 0;
  // The life of thread `index`: runs tasks until the queue is closed and empty.
  virtual void serve(std::size_t index) = 0;
  virtual void close() = 0;
  [[nodiscard]] virtual bool closed() const = 0;
  // Takes away what nobody has begun.
  virtual std::deque<ThreadTaskPtr> drain() = 0;
};

template <ipc::Lock L>
class ThreadQueue final : public TaskQueue {
 public:
  explicit ThreadQueue(std::size_t threads) : sleepers_(threads) {}

  void push(ThreadTaskPtr task) override {
    Sleeper* sleeper = state_.with([&](State& state) {
      if (state.closed) throw PoolClosed();
      state.tasks.push_back(std::move(task));
      return state.next_sleeper();
    });
    if (sleeper != nullptr) sleeper->wake();
  }

  void serve(std::size_t index) override {
    served = this;
    Sleeper& self = sleepers_[index];
    for (;;) {
      const auto [task, closed] = state_.with([&](State& state) {
        auto next = state.next_task();
        if (next == nullptr && !state.closed) state.sleeping.push_back(&self);
        return std::pair(std::move(next), state.closed);
      });
      if (task != nullptr) {
        task->run();
      } else if (closed) {
        return;
      } else {
        self.sleep();
      }
    }
  }

  // A thread of this pool runs other tasks while it waits, so that a task can wait for tasks.
  bool wait(TaskState& awaited, ipc::Deadline deadline) override {
    while (served == this && !awaited.ready() && !deadline.expired()) {
      const auto task = state_.with([](State& state) { return state.next_task(); });
      if (task == nullptr) break;
      task->run();
    }
    return awaited.changed().await([&] { return awaited.ready(); }, deadline);
  }

  bool cancel(TaskState& state) override {
    if (!state.begin()) return state.phase() == Phase::cancelled;
    state.resolve_cancelled();  // the queue still has it, and will find nothing to do
    state.run_callbacks();
    return true;
  }

  [[nodiscard]] bool running(const TaskState& state) override {
    return state.phase() == Phase::running;
  }

  [[nodiscard]] bool served_by_this_thread() const override { return served == this; }

  void attend() override {}  // threads take no notice of whether anybody waits

  void close() override {
    const auto sleeping = state_.with([](State& state) {
      state.closed = true;
      return std::exchange(state.sleeping, {});
    });
    for (Sleeper* sleeper : sleeping) sleeper->wake();
  }

  [[nodiscard]] bool closed() const override {
    return state_.with([](const State& state) { return state.closed; });
  }

  std::deque<ThreadTaskPtr> drain() override {
    return state_.with([](State& state) { return std::exchange(state.tasks, {}); });
  }

 private:
  // Where a thread that has nothing to do waits: a task wakes one thread, not all.
  class Sleeper {
   public:
    void sleep() {
      event_.await([this] { return woken_.load(std::memory_order_acquire); },
                   ipc::Deadline::never());
      woken_.store(false, std::memory_order_relaxed);  // nobody wakes it before it lies down again
    }
    void wake() {
      woken_.store(true, std::memory_order_release);  // partner: sleep()
      event_.notify_all();
    }

   private:
    std::atomic<bool> woken_{false};
    ipc::Eventcount event_;
  };

  struct State {
    std::deque<ThreadTaskPtr> tasks;
    std::vector<Sleeper*> sleeping;  // who lay down last is woken first: its cache is still warm
    bool closed = false;

    ThreadTaskPtr next_task() {
      if (tasks.empty()) return nullptr;
      auto task = std::move(tasks.front());
      tasks.pop_front();
      return task;
    }

    Sleeper* next_sleeper() {
      if (sleeping.empty()) return nullptr;
      Sleeper* sleeper = sleeping.back();
      sleeping.pop_back();
      return sleeper;
    }
  };

  static inline thread_local const Engine* served = nullptr;  // by this thread

  std::vector<Sleeper> sleepers_;
  Guarded<State, L> state_;
};

}  // namespace pools
