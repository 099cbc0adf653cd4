// A worker as its pool sees it: two channel ends, shared memory for what is long, and the tasks
// that it has.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "ipc/any_channel.hpp"
#include "ipc/parcel.hpp"
#include "pools/arena.hpp"
#include "pools/board.hpp"
#include "pools/message.hpp"
#include "pools/options.hpp"
#include "pools/task_state.hpp"

namespace pools {

// A task from submit() to its answer.
struct Job : TaskState {
  explicit Job(Writer message) : call(std::move(message)) {}

  // With limits, for which the call has room behind its header.
  Job(Writer message, const TaskOptions& options)
      : call(std::move(message)),
        limits{{.soft_ns = options.soft_timeout.count(),
                .hard_ns = options.hard_timeout.count(),
                .attempt = 0}},
        retry(options.retry) {}

  [[nodiscard]] std::size_t prefix_bytes() const {
    return sizeof(MessageHeader) + (limits ? sizeof(TaskLimits) : 0);
  }

  std::uint64_t number = 0;  // among those that its worker was given; 0: none has it
  // Kept until it is answered, since a worker may die before it begins; else until that worker is
  // dead, which reads a long call where it lies.
  Writer call;
  Answer answer;            // what its future decodes
  SharedMemories memories;  // of its arguments, once it is answered: the result may be in them
  std::optional<TaskLimits> limits{};
  std::optional<Retry> retry{};  // none: as the pool's options say
  unsigned attempts = 0;         // begun so often, or given to a worker that has not begun it
};
using JobPtr = std::shared_ptr<Job>;

// Nothing here blocks. Belongs to one thread at a time.
class WorkerLink {
 public:
  // `long_calls`: where the pool writes long calls; none: all go through the channel.
  WorkerLink(const ipc::AnyChannel& channel, WorkerSlot& slot, std::size_t piece_bytes,
             std::shared_ptr<ArenaOwner> long_calls);

  // Opens new channels and packs the worker's ends. Whatever the predecessor may have torn goes
  // away with the old ones.
  void open(ipc::Parcel& ends);
  void close();

  [[nodiscard]] const WorkerSlot& slot() const { return slot_; }
  [[nodiscard]] std::size_t load() const { return jobs_.size(); }
  [[nodiscard]] bool condemned() const { return condemned_; }
  void condemn() { condemned_ = true; }
  // A task that did not fit the channel yet.
  [[nodiscard]] bool owes() const { return !cutter_.done(); }
  [[nodiscard]] bool accepts(std::size_t prefetch) const {
    return tasks_ && !condemned_ && !owes() && jobs_.size() < prefetch;
  }

  // Whether the worker has this task, and has begun it.
  [[nodiscard]] bool runs(const TaskState& state) const {
    const auto job = std::ranges::find(jobs_, &state, &JobPtr::get);
    return job != jobs_.end() && has_begun(**job);
  }

  // Requires accepts(). push() sends it.
  void give(JobPtr job);
  // Sends as many pieces as there is room for. False when the channel is of no use any more.
  bool push();

  // The next job with its answer, if it is there. Throws when the channel or what came over it is
  // of no use any more.
  JobPtr pull();
  // The same for a dead worker, who may have sent a piece without counting it.
  JobPtr pull_last();

  // Takes the jobs back from a dead worker, with those that it may have run first.
  struct Abandoned {
    std::deque<JobPtr> started;
    std::deque<JobPtr> waiting;
  };
  Abandoned abandon();

  // Tells the worker that there are no more tasks. Requires that it has none.
  void stop();

 private:
  // Modest: a task waits in the pool's memory, not here, and eight POSIX queues of this size fit
  // the default RLIMIT_MSGQUEUE.
  static constexpr std::size_t capacity_bytes = std::size_t{64} << 10;
  static constexpr std::size_t capacity_messages = 16;

  [[nodiscard]] bool has_begun(const Job& job) const {
    return job.number <= slot_.started.load(std::memory_order_acquire);  // partner: Worker::serve
  }

  // To look into shared memory costs no more than to look at the slot; to ask the kernel does.
  [[nodiscard]] bool has_news() const {
    if (polls_) return !jobs_.empty();
    return slot_.sent.load(std::memory_order_acquire) != received_;  // partner: Worker::send
  }
  bool receive();
  JobPtr answered();

  ipc::AnyChannel channel_;
  WorkerSlot& slot_;
  std::size_t piece_bytes_;
  bool polls_;  // the channel is shared memory, and its ends look into it before they sleep
  bool rings_;  // the worker does not wait in the channel
  std::shared_ptr<ArenaOwner> long_calls_;
  std::shared_ptr<Arena> long_answers_;  // this worker's; answers that nobody read yet keep it
  std::optional<ipc::AnySender> tasks_;
  std::optional<ipc::AnyReceiver> answers_;
  std::deque<JobPtr> jobs_;  // in the channel or in the worker, the oldest first
  Joiner joiner_;
  Cutter cutter_;
  std::uint64_t given_ = 0;
  std::uint64_t received_ = 0;
  bool condemned_ = false;
};

}  // namespace pools
