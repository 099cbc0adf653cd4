// The heart of a process pool: which task is next, and who collects the answers.
//
// There is no dispatcher thread between a caller and its worker. submit() sends to a worker that
// has room, or else queues here. Whoever waits for a future collects, one thread at a time: it
// takes in answers, sends what is queued, and sleeps on the board's bell when there is nothing to
// do. Others that wait sleep until their own future is ready or they are called to take over. Only
// while nobody waits, a keeper thread goes on with what is left.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "ipc/any_channel.hpp"
#include "ipc/mapping.hpp"
#include "pools/board.hpp"
#include "pools/crew.hpp"
#include "pools/keeper.hpp"
#include "pools/options.hpp"
#include "pools/own_process.hpp"
#include "pools/task_state.hpp"

namespace pools {

// All members may be called from any thread at any time. They throw WrongProcess in a process that
// was forked from the one that made it.
class Dispatcher final : public Engine {
 public:
  // Throws std::system_error or std::invalid_argument when the channels cannot be had, and leaves
  // nothing behind then.
  Dispatcher(const ipc::AnyChannel& channel, const Options& options, std::size_t piece_bytes);

  [[nodiscard]] bool is_of_this_process() const { return owner_.is_this(); }
  [[nodiscard]] std::size_t workers();
  void resize(std::size_t workers);
  // Where long calls are written, or none.
  [[nodiscard]] ArenaOwner* long_calls() const { return crew_.long_calls(); }

  // Throws PoolClosed, PoolBroken or QueueFull. Waits for room only where Options say so.
  void submit(JobPtr job);

  bool wait(TaskState& state, ipc::Deadline deadline) override;
  bool cancel(TaskState& state) override;
  [[nodiscard]] bool running(const TaskState& state) override;
  void attend() override;

  void close();
  void join();
  void terminate();
  // Cancels every task that no worker has.
  void cancel_queued();

 private:
  using Lock = std::unique_lock<std::mutex>;

  // Takes the mutex. Whoever polls with it makes way. Throws WrongProcess.
  Lock enter();

  // --- All below: the mutex is held. ---

  [[nodiscard]] bool full() const;
  void require_open() const;
  void run_here(Lock& lock, const JobPtr& job);

  // Takes in what there is and sends what can be sent. True when a job was resolved.
  bool collect();
  bool assign();
  void settle();
  void lose(Returned::Lost& lost);
  void resolve(const JobPtr& job, std::exception_ptr error);
  void cancel(const JobPtr& job);
  void resolved(const JobPtr& job);
  void close_when_done();
  void tell_of_room();
  template <class Error>
  void fail_all(const Error& error);
  void break_pool(const std::string& why);
  void finish(ipc::Deadline deadline);
  void check_zygote();

  // Works or sleeps until ready(), which needs no mutex, and whose change notifies `changed`. False
  // at the deadline.
  template <class Ready>
  bool await(Lock& lock, ipc::Eventcount& changed, Ready&& ready, ipc::Deadline deadline);
  template <class Ready>
  void collect_until(Lock& lock, Ready&& ready, ipc::Deadline deadline);
  template <class Ready>
  bool poll(Ready&& ready);
  void pass_on();

  // Calls back whoever wanted to be told. Leaves the mutex meanwhile.
  void call_back(Lock& lock);

  [[nodiscard]] Keeper::Pace keeper_pace() const;
  Keeper::Pace keep(Lock& lock);

  const Options options_;
  const OwnProcess owner_;
  ipc::Mapping memory_;
  Board& board_;

  std::mutex mutex_;
  std::atomic<std::uint32_t> callers_{0};  // threads that wait for the mutex
  Crew crew_;
  std::deque<JobPtr> queue_;            // that no worker has yet, or has any more
  std::atomic<std::size_t> queued_{0};  // its size, for those who wait for room
  ipc::Eventcount room_;                // notified when there is some
  std::vector<JobPtr> to_call_back_;    // resolved, with callbacks for when the mutex is free
  std::uint64_t submitted_ = 0;
  std::uint64_t unresolved_ = 0;
  bool attended_ = false;  // somebody is to be called back
  bool closed_ = false;    // no more tasks
  bool finished_ = false;  // no more processes
  std::string broken_;     // why, when it is
  TaskState settled_;      // closed, and every job resolved
  Returned returned_;

  std::atomic<bool> collecting_{false};  // written under the mutex; a follower reads it without
  const bool polls_;                     // the channel, before it waits for the bell
  std::uint32_t poll_rounds_;
  BellWait bell_;  // the collector's
  std::deque<ipc::Eventcount*> followers_;

  std::uint64_t submitted_at_turn_ = 0;  // the keeper's last
  Keeper keeper_;
};

}  // namespace pools
