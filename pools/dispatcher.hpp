// The heart of a process pool: who gets which task, who collects the answers, who replaces the
// dead.
//
// There is no dispatcher thread between a caller and its worker. submit() sends to a worker that
// has room, or else queues here. Whoever waits for a future collects, one thread at a time: it
// takes in answers, sends what is queued, and sleeps on the board's bell when there is nothing to
// do. Others that wait sleep until their own future is ready or they are called to take over. Only
// while nobody waits, a keeper thread goes on with what is left.
#pragma once

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "ipc/mapping.hpp"
#include "pools/board.hpp"
#include "pools/call.hpp"
#include "pools/errors.hpp"
#include "pools/future.hpp"
#include "pools/options.hpp"
#include "pools/worker.hpp"
#include "pools/worker_link.hpp"
#include "pools/zygote_client.hpp"

namespace pools {

// All members may be called from any thread at any time.
class Dispatcher final : public Engine {
 public:
  // Throws std::system_error or std::invalid_argument when the channels cannot be had, and leaves
  // nothing behind then.
  Dispatcher(const ipc::AnyChannel& channel, const Options& options, std::size_t piece_bytes)
      : options_(options),
        waiter_may_be_killed_(channel.traits.waiter_may_be_killed),
        memory_(Board::create()),
        board_(memory_.as<Board>()),
        channel_(channel),
        piece_bytes_(piece_bytes),
        zygote_(options, memory_),
        bell_(channel.traits) {
    if (options.shared_memory_bytes > 0) {
      long_calls_ = std::make_shared<ArenaOwner>(Arena::create(), options.shared_memory_bytes);
    }
    const std::size_t workers = worker_count(options);
    workers_.reserve(workers);
    for (std::size_t i = 0; i < workers; ++i) {
      workers_.emplace_back(channel, board_.workers[i], piece_bytes, long_calls_);
      if (!start(i)) throw PoolBroken(zygote_.why_gone());
    }
    zygote_.confirm();
  }

  [[nodiscard]] std::size_t workers() const { return workers_.size(); }
  // Where long calls are written, or none.
  [[nodiscard]] ArenaOwner* long_calls() const { return long_calls_.get(); }

  // Throws PoolClosed or PoolBroken. Never waits for room.
  void submit(JobPtr job) {
    std::unique_lock lock(mutex_);
    if (!broken_.empty()) throw PoolBroken(broken_);
    if (closed_) throw PoolClosed();
    ++submitted_;
    ++unresolved_;
    queue_.push_back(std::move(job));
    if (collect() && collecting_) board_.ring();  // it may have been the collector's
    if (!collecting_) rouse_keeper();
  }

  bool cancel(TaskState& state) override {
    std::unique_lock lock(mutex_);
    const auto job = std::find_if(queue_.begin(), queue_.end(),
                                  [&](const JobPtr& each) { return each.get() == &state; });
    if (job == queue_.end()) return state.phase() == Phase::cancelled;
    const JobPtr cancelled = *job;
    queue_.erase(job);
    cancelled->resolve_cancelled();
    resolved(cancelled);
    if (collecting_) board_.ring();  // it may have been the last that the collector waits for
    call_back(lock);
    return true;
  }

  [[nodiscard]] bool running(const TaskState& state) override {
    const std::unique_lock lock(mutex_);
    return std::any_of(workers_.begin(), workers_.end(),
                       [&](const WorkerLink& worker) { return worker.runs(state); });
  }

  void attend() override {
    const std::unique_lock lock(mutex_);
    attended_ = true;
    if (!collecting_) rouse_keeper();
  }

  bool wait(TaskState& state, ipc::Deadline deadline) override {
    std::unique_lock lock(mutex_);
    while (!state.ready()) {
      if (collecting_) {
        follow(lock, state, deadline);
      } else {
        collect_until(lock, state, deadline);
      }
      if (!to_call_back_.empty()) {
        if (!collecting_) pass_on();  // somebody else collects while this thread calls
        call_back(lock);
      }
      if (!state.ready() && deadline.expired()) break;
    }
    if (!collecting_) pass_on();
    return state.ready();
  }

  void close() {
    const std::unique_lock lock(mutex_);
    closed_ = true;
    if (unresolved_ == 0) settle();
  }

  void join() {
    {
      const std::unique_lock lock(mutex_);
      if (!closed_) throw std::logic_error("join() of a pool that is not closed: close() it first");
    }
    wait(settled_, ipc::Deadline::never());
    {
      const std::unique_lock lock(mutex_);
      if (!finished_) {
        for (WorkerLink& worker : workers_) worker.stop();
        finish(ipc::Deadline::in(patience));
      }
    }
    stop_keeper();
  }

  void terminate() {
    {
      std::unique_lock lock(mutex_);
      closed_ = true;
      if (!finished_) {
        finish(ipc::Deadline::now());
        fail_all(PoolTerminated());
      }
      call_back(lock);
    }
    stop_keeper();
  }

 private:
  // With workers that have nothing to do but end.
  static constexpr std::chrono::seconds patience{5};
  static constexpr std::chrono::milliseconds zygote_checked{100};

  // --- All below: the mutex is held. ---

  // Takes in what there is and sends what can be sent. True when a job was resolved.
  bool collect() {
    const std::uint64_t before = unresolved_;
    // Partner: ZygoteLoop::report_death. What a worker sent before its death is in its channel by
    // now.
    const auto deaths = board_.deaths.load(std::memory_order_acquire);
    if (deaths != deaths_seen_) {
      deaths_seen_ = deaths;
      while (const auto death = finished_ ? std::nullopt : zygote_.next_death()) bury(*death);
    }
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (workers_[i].condemned()) continue;
      try {
        while (const JobPtr job = workers_[i].pull()) answered(job);
      } catch (const std::exception&) {
        condemn(i);
      }
      if (workers_[i].owes() && !workers_[i].push()) condemn(i);
    }
    while (!queue_.empty() && assign()) {
    }
    return unresolved_ != before;
  }

  // Gives the next queued job to the worker that has the least to do. False when all have enough.
  bool assign() {
    std::size_t best = workers_.size();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (!workers_[i].accepts(options_.prefetch)) continue;
      if (best == workers_.size() || workers_[i].load() < workers_[best].load()) best = i;
    }
    if (best == workers_.size()) return false;
    workers_[best].give(std::move(queue_.front()));
    queue_.pop_front();
    if (!workers_[best].push()) condemn(best);
    return true;
  }

  bool start(std::size_t worker) {
    ipc::Parcel order = ZygoteClient::start_order(worker, worker_main);
    put_worker_order(order, channel_, piece_bytes_);
    workers_[worker].open(order);
    return zygote_.start(order);
  }

  // Its channel is of no use any more. Its death will be reported, and then it is replaced.
  void condemn(std::size_t worker) {
    if (workers_[worker].condemned()) return;
    workers_[worker].condemn();
    if (!zygote_.kill(worker)) break_pool(zygote_.why_gone());
  }

  void bury(const DeathReport& death) {
    WorkerLink& worker = workers_[death.worker];
    // Not where the dead may hold a lock of the channel: what it sent last is lost then.
    if (waiter_may_be_killed_) {
      while (const JobPtr job = worker.pull_last()) answered(job);
    }
    auto abandoned = worker.abandon();
    for (const JobPtr& job : abandoned.started) {
      resolve(job, std::make_exception_ptr(WorkerDied(death.pid, death.status, true)));
    }
    // These have not run: they are the next ones, in their order.
    queue_.insert(queue_.begin(), abandoned.waiting.begin(), abandoned.waiting.end());
    // A death that costs a task ends by itself when the tasks do; others could go on for ever.
    idle_deaths_ = abandoned.started.empty() ? idle_deaths_ + 1 : 0;
    if (idle_deaths_ > options_.restart.idle_deaths_max) {
      break_pool(std::to_string(idle_deaths_) + " workers in a row ended without taking a task; " +
                 (death.fork_error != 0 ? std::string("fork: ") + std::strerror(death.fork_error)
                                        : "the last one " + death.status.text()));
      return;
    }
    try {
      if (!start(death.worker)) break_pool(zygote_.why_gone());
    } catch (const std::exception& error) {
      break_pool(std::string("a dead worker cannot be replaced: ") + error.what());
    }
  }

  void answered(const JobPtr& job) {
    idle_deaths_ = 0;
    resolve(job, answer_error(Reader(job->answer.body())));
  }

  void resolve(const JobPtr& job, std::exception_ptr error) {
    job->resolve(std::move(error));
    resolved(job);
  }

  void resolved(const JobPtr& job) {
    if (job->listened()) to_call_back_.push_back(job);
    if (--unresolved_ > 0) return;
    attended_ = false;
    if (closed_) settle();
  }

  // Leaves the mutex while it calls.
  void call_back(std::unique_lock<std::mutex>& lock) {
    while (!to_call_back_.empty()) {
      const auto jobs = std::exchange(to_call_back_, {});
      lock.unlock();
      for (const JobPtr& job : jobs) job->run_callbacks();
      lock.lock();
    }
  }

  void settle() {
    if (!settled_.ready()) settled_.resolve();
  }

  // Each job gets an error of its own: their futures may belong to many threads.
  template <class Error>
  void fail_all(const Error& error) {
    const auto fail = [&](const std::deque<JobPtr>& jobs) {
      for (const JobPtr& job : jobs) resolve(job, std::make_exception_ptr(error));
    };
    for (WorkerLink& worker : workers_) {
      const auto [started, waiting] = worker.abandon();
      fail(started);
      fail(waiting);
    }
    fail(std::exchange(queue_, {}));
    if (closed_) settle();
    board_.ring();
  }

  void break_pool(const std::string& why) {
    if (finished_) return;
    broken_ = why;
    finish(ipc::Deadline::now());
    fail_all(PoolBroken(why));
  }

  // Ends the processes: at the deadline at the latest, by force.
  void finish(ipc::Deadline deadline) {
    finished_ = true;
    if (deadline.is_now()) {
      zygote_.stop();
    } else {
      zygote_.finish(deadline);
    }
    for (WorkerLink& worker : workers_) worker.close();
  }

  // --- Who works while it waits ---

  // One thread at a time.
  class CollectorRole {
   public:
    explicit CollectorRole(std::atomic<bool>& taken) : taken_(taken) { taken_ = true; }
    CollectorRole(const CollectorRole&) = delete;
    ~CollectorRole() { taken_ = false; }

   private:
    std::atomic<bool>& taken_;
  };

  // Collects until `state` is ready. Leaves the mutex only to sleep.
  void collect_until(std::unique_lock<std::mutex>& lock, TaskState& state, ipc::Deadline deadline) {
    const CollectorRole role(collecting_);
    for (;;) {
      const auto seen = board_.events.load(std::memory_order_acquire);  // partner: Board::ring
      while (collect()) {
      }
      if (state.ready() || !to_call_back_.empty() || deadline.expired()) return;
      lock.unlock();
      const bool rang = bell_.await(
          board_.bell, [&] { return board_.events.load(std::memory_order_acquire) != seen; },
          earlier(deadline, ipc::Deadline::in(zygote_checked)));
      lock.lock();
      if (!rang) check_zygote();
    }
  }

  // Sleeps until `state` is ready, or until there is nobody who collects.
  void follow(std::unique_lock<std::mutex>& lock, TaskState& state, ipc::Deadline deadline) {
    followers_.push_back(&state);
    lock.unlock();
    state.changed().await([&] { return state.ready() || !collecting_; }, deadline);
    lock.lock();
    followers_.erase(std::find(followers_.begin(), followers_.end(), &state));
  }

  // Calls the next to collect.
  void pass_on() {
    if (!followers_.empty()) {
      followers_.front()->changed().notify_all();
    } else if (keeper_pace() == Pace::feeding) {
      rouse_keeper();
    }
  }

  // With nobody to tell why, a pool without its zygote would wait for ever.
  void check_zygote() {
    if (!finished_ && !zygote_.alive()) break_pool(zygote_.why_gone());
  }

  // --- The keeper ---

  // asleep: there is nothing to do; watching: workers are busy, and may die; feeding: tasks wait.
  enum class Pace : std::uint8_t { asleep, watching, feeding };

  [[nodiscard]] Pace keeper_pace() const {
    if (!to_call_back_.empty()) return Pace::feeding;
    if (finished_ || unresolved_ == 0) return Pace::asleep;
    if (attended_) return Pace::feeding;
    const bool owing = std::any_of(workers_.begin(), workers_.end(),
                                   [](const WorkerLink& worker) { return worker.owes(); });
    return !queue_.empty() || owing ? Pace::feeding : Pace::watching;
  }

  // Costs a submit() nothing while the keeper's pace is right already.
  void rouse_keeper() {
    const Pace pace = keeper_pace();
    if (pace <= pace_ || keeper_finished_) return;
    pace_ = pace;
    if (keeper_.joinable()) {
      keeper_wakes_.notify_one();
    } else {
      start_keeper();
    }
  }

  void start_keeper() {
    // Signals are for the threads that the program made.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      keeper_ = std::thread([this] { keep(); });
    } catch (const std::system_error&) {
      pace_ = Pace::asleep;  // no thread to be had: whoever waits does without, the next asks again
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void keep() {
    std::unique_lock lock(mutex_);
    for (std::uint64_t submitted = 0; !keeper_finished_;) {
      if (!collecting_) {
        check_zygote();
        while (collect()) {
        }
      }
      call_back(lock);
      // While tasks come and go it stays awake, so that submit() need not wake it.
      pace_ = submitted == submitted_ ? Pace::asleep : Pace::watching;
      pace_ =
          std::max(pace_, collecting_ ? std::min(keeper_pace(), Pace::watching) : keeper_pace());
      submitted = submitted_;
      const auto roused = [this, pace = pace_] { return keeper_finished_ || pace_ > pace; };
      if (pace_ == Pace::asleep) {
        keeper_wakes_.wait(lock, roused);
      } else {
        keeper_wakes_.wait_for(lock, std::chrono::milliseconds(pace_ == Pace::feeding ? 1 : 100),
                               roused);
      }
    }
  }

  void stop_keeper() {
    std::thread keeper;
    {
      const std::unique_lock lock(mutex_);
      keeper_finished_ = true;
      keeper_wakes_.notify_one();
      keeper.swap(keeper_);
    }
    if (keeper.joinable()) keeper.join();
  }

  const Options options_;
  const bool waiter_may_be_killed_;  // while it uses the channel
  ipc::Mapping memory_;
  Board& board_;
  const ipc::AnyChannel channel_;
  const std::size_t piece_bytes_;

  std::mutex mutex_;
  ZygoteClient zygote_;
  std::shared_ptr<ArenaOwner> long_calls_;
  std::vector<WorkerLink> workers_;
  std::deque<JobPtr> queue_;  // that no worker has yet, or has any more
  std::uint64_t submitted_ = 0;
  std::uint64_t unresolved_ = 0;
  std::uint32_t deaths_seen_ = 0;
  std::size_t idle_deaths_ = 0;       // in a row
  std::vector<JobPtr> to_call_back_;  // resolved, with callbacks that wait for the mutex's release
  bool attended_ = false;             // there are callbacks to come
  bool closed_ = false;               // no more tasks
  bool finished_ = false;             // no more processes
  std::string broken_;                // why, when it is
  TaskState settled_;                 // closed, and every job resolved

  std::atomic<bool> collecting_{false};  // written under the mutex; a follower reads it without
  BellWait bell_;                        // the collector's
  std::deque<TaskState*> followers_;

  std::thread keeper_;
  std::condition_variable keeper_wakes_;
  Pace pace_ = Pace::asleep;
  bool keeper_finished_ = false;
};

}  // namespace pools
