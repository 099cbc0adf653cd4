// The queue of a thread pool, and those who serve it.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ipc/eventcount.hpp"
#include "ipc/lock.hpp"
#include "ipc/waits/adaptive.hpp"
#include "pools/errors.hpp"
#include "pools/guarded.hpp"
#include "pools/options.hpp"
#include "pools/thread_task.hpp"

namespace pools {

// All members may be called from any thread at any time.
class TaskQueue : public Engine {
 public:
  // False when the queue is full, and the caller is to run the task. Waits for room where
  // Options::when_full says so. Throws PoolClosed, PoolBroken or QueueFull.
  virtual bool push(ThreadTaskPtr task) = 0;
  // The life of thread `index`: runs tasks until the queue is closed and empty, or until there are
  // to be so few threads that this one is not among them.
  virtual void serve(std::size_t index) = 0;
  // So many threads are to serve. The indices of those that are not there yet or any more.
  virtual std::vector<std::size_t> resize(std::size_t threads) = 0;
  // These of them were not to be had: the next resize() gives them again.
  virtual void remain_missing(const std::vector<std::size_t>& indices) = 0;
  virtual void close() = 0;
  // Closes: submit() throws PoolBroken with this text.
  virtual void break_pool(const std::string& why) = 0;
  [[nodiscard]] virtual bool closed() const = 0;
  // Takes away what nobody has begun, for the caller to resolve.
  virtual std::deque<ThreadTaskPtr> drain() = 0;
};

template <ipc::Lock L>
class ThreadQueue final : public TaskQueue {
 public:
  explicit ThreadQueue(const Options& options)
      : capacity_(options.queue_capacity),
        when_full_(options.when_full),
        spinning_max_(std::max<std::size_t>(1, worker_count({}) / 2)) {}

  bool push(ThreadTaskPtr task) override {
    for (;;) {
      SleeperPtr woken;
      const bool pushed = state_.with([&](State& state) {
        if (!state.broken.empty()) throw PoolBroken(state.broken);
        if (state.closed) throw PoolClosed();
        if (full(state)) return false;
        state.tasks.push_back(std::move(task));
        woken = state.next_sleeper();
        return true;
      });
      if (woken != nullptr) woken->wake();
      if (pushed) return true;
      // A thread of the pool does not wait for room: it would have to make it.
      if (when_full_ == WhenFull::reject) throw QueueFull(capacity_);
      if (when_full_ == WhenFull::caller_runs || served == this) return false;
      room_.await(
          [&] { return state_.with([&](State& state) { return state.closed || !full(state); }); },
          ipc::Deadline::never());
    }
  }

  void serve(std::size_t index) override {
    const Serving serving(this);
    const auto self = std::make_shared<Sleeper>();
    for (;;) {
      bool ends = false;
      std::vector<ThreadTaskPtr> dropped;
      const auto task = state_.with([&](State& state) -> ThreadTaskPtr {
        ends = index >= state.threads;
        auto next = ends ? nullptr : state.take(End::oldest, dropped);
        if (next != nullptr) return next;
        ends = ends || state.closed;
        if (ends) {
          state.serving[index] = false;
        } else {
          state.sleeping.push_back(self);
        }
        return nullptr;
      });
      if (ends) return;
      if (task != nullptr) {
        run(*task);
      } else {
        rest(*self, ipc::Deadline::never());
      }
    }
  }

  // A thread of this pool runs tasks while it waits, so that a task can wait for tasks: the one
  // that it waits for, or else the newest, which most likely is what it waits for. It may be late
  // then.
  bool wait(TaskState& awaited, ipc::Deadline deadline) override {
    if (deadline.is_now()) return awaited.ready();
    if (served == this) return help(awaited, deadline);
    static thread_local ipc::Adaptive patience;
    return patience.await(
        awaited.changed(), [&] { return awaited.ready(); }, deadline);
  }

  bool cancel(TaskState& state) override {
    auto& task = static_cast<ThreadTask&>(state);
    if (!begin_unqueued(task)) return task.phase() == Phase::cancelled;
    task.give_up();
    task.resolve_cancelled();
    task.run_callbacks();
    return true;
  }

  [[nodiscard]] bool running(const TaskState& state) override {
    return state.phase() == Phase::running;
  }

  [[nodiscard]] bool served_by_this_thread() const override { return served == this; }

  void attend() override {}  // threads take no notice of whether anybody waits

  std::vector<std::size_t> resize(std::size_t threads) override {
    std::vector<std::size_t> missing;
    wake_all([&](State& state) {
      state.threads = threads;
      state.serving.resize(std::max(threads, state.serving.size()));
      for (std::size_t i = 0; i < threads; ++i) {
        if (!state.serving[i]) missing.push_back(i);
        state.serving[i] = true;
      }
    });
    return missing;
  }

  void remain_missing(const std::vector<std::size_t>& indices) override {
    state_.with([&](State& state) {
      for (const std::size_t index : indices) state.serving[index] = false;
    });
  }

  void close() override {
    wake_all([](State& state) { state.closed = true; });
  }

  void break_pool(const std::string& why) override {
    wake_all([&](State& state) {
      state.closed = true;
      state.broken = why;
    });
  }

  [[nodiscard]] bool closed() const override {
    return state_.with([](const State& state) { return state.closed; });
  }

  std::deque<ThreadTaskPtr> drain() override {
    std::vector<ThreadTaskPtr> dropped;
    auto tasks = state_.with([&](State& state) {
      std::deque<ThreadTaskPtr> taken;
      while (auto task = state.take(End::oldest, dropped)) taken.push_back(std::move(task));
      return taken;
    });
    room_.notify_all();
    return tasks;
  }

 private:
  // Where a thread that has nothing to do waits: a task wakes one thread, not all. Spins at first
  // when that has been paying off: then waking it costs no system call.
  class Sleeper {
   public:
    // True when it was woken; false at the deadline.
    bool sleep(bool may_spin, ipc::Deadline deadline) {
      const auto woken = [this] { return woken_.load(std::memory_order_acquire); };
      const bool result =
          may_spin ? patience_.await(event_, woken, deadline) : event_.await(woken, deadline);
      woken_.exchange(false, std::memory_order_acquire);  // what it was woken for is seen now
      return result;
    }
    void wake() {
      woken_.store(true, std::memory_order_release);  // partner: sleep()
      event_.notify_all();
    }

   private:
    std::atomic<bool> woken_{false};
    ipc::Eventcount event_;
    ipc::Adaptive patience_;
  };
  using SleeperPtr = std::shared_ptr<Sleeper>;

  enum class End : bool { oldest, newest };

  struct State {
    std::deque<ThreadTaskPtr> tasks;   // begun ones among them: cancelled, or run by who waits
    std::size_t begun = 0;             // how many
    std::vector<SleeperPtr> sleeping;  // who lay down last is woken first: its cache is still warm
    std::size_t threads = 0;
    std::vector<bool> serving;  // by index
    bool closed = false;
    std::string broken;

    // What it gives is begun, and the caller's to run. `dropped` gets those that were begun before:
    // what they hold must not be destroyed under the lock.
    ThreadTaskPtr take(End end, std::vector<ThreadTaskPtr>& dropped) {
      while (!tasks.empty()) {
        ThreadTaskPtr task;
        if (end == End::oldest) {
          task = std::move(tasks.front());
          tasks.pop_front();
        } else {
          task = std::move(tasks.back());
          tasks.pop_back();
        }
        if (task->begin()) return task;
        --begun;
        dropped.push_back(std::move(task));
      }
      return nullptr;
    }

    SleeperPtr next_sleeper() {
      if (sleeping.empty()) return nullptr;
      auto sleeper = std::move(sleeping.back());
      sleeping.pop_back();
      return sleeper;
    }
  };

  // Marks the thread as one of this queue's.
  class Serving {
   public:
    explicit Serving(const Engine* queue) : before_(std::exchange(served, queue)) {}
    Serving(const Serving&) = delete;
    ~Serving() { served = before_; }

   private:
    const Engine* before_;
  };

  [[nodiscard]] bool full(const State& state) const {
    return capacity_ > 0 && state.tasks.size() - state.begun >= capacity_;
  }

  void run(ThreadTask& task) {
    if (capacity_ > 0) room_.notify_all();
    task.run();
  }

  // Begins a task where it is in the queue. False when somebody else was faster.
  bool begin_unqueued(ThreadTask& task) {
    const bool begun = state_.with([&](State& state) {
      if (!task.begin()) return false;
      ++state.begun;
      return true;
    });
    if (begun && capacity_ > 0) room_.notify_all();
    return begun;
  }

  void rest(Sleeper& sleeper, ipc::Deadline deadline) {
    const bool may_spin = spinning_.fetch_add(1, std::memory_order_relaxed) < spinning_max_;
    if (!may_spin) spinning_.fetch_sub(1, std::memory_order_relaxed);
    sleeper.sleep(may_spin, deadline);
    if (may_spin) spinning_.fetch_sub(1, std::memory_order_relaxed);
  }

  bool help(TaskState& awaited, ipc::Deadline deadline) {
    auto* const own = dynamic_cast<ThreadTask*>(&awaited);
    if (own != nullptr && begin_unqueued(*own)) own->run();
    SleeperPtr self;
    TaskState::CallbackId callback = 0;
    while (!awaited.ready() && !deadline.expired()) {
      std::vector<ThreadTaskPtr> dropped;
      const auto task = state_.with([&](State& state) {
        auto newest = state.take(End::newest, dropped);
        if (newest == nullptr && self != nullptr) state.sleeping.push_back(self);
        return newest;
      });
      if (task != nullptr) {
        run(*task);
      } else if (self == nullptr) {
        self = std::make_shared<Sleeper>();
        callback = awaited.on_ready([self] { self->wake(); });
      } else {
        rest(*self, deadline);
        get_up(self);
      }
    }
    if (self != nullptr) awaited.forget(callback);
    return awaited.ready();
  }

  // Takes a sleeper off the list. Was it woken for a task and by what it waits for at once, then
  // somebody else has to look after the task.
  void get_up(const SleeperPtr& self) {
    const SleeperPtr other = state_.with([&](State& state) -> SleeperPtr {
      if (std::erase(state.sleeping, self) > 0 || state.tasks.empty()) return nullptr;
      return state.next_sleeper();
    });
    if (other != nullptr) other->wake();
  }

  template <class Change>
  void wake_all(Change&& change) {
    const auto sleeping = state_.with([&](State& state) {
      change(state);
      return std::exchange(state.sleeping, {});
    });
    for (const SleeperPtr& sleeper : sleeping) sleeper->wake();
    room_.notify_all();
  }

  static inline thread_local const Engine* served = nullptr;  // by this thread

  const std::size_t capacity_;
  const WhenFull when_full_;
  const std::size_t spinning_max_;
  std::atomic<std::size_t> spinning_{0};
  Guarded<State, L> state_;
  ipc::Eventcount room_;
};

}  // namespace pools
