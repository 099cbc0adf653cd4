// A worker as its pool sees it: two channel ends, and the tasks that it has.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "ipc/any_channel.hpp"
#include "ipc/parcel.hpp"
#include "pools/board.hpp"
#include "pools/future.hpp"
#include "pools/message.hpp"

namespace pools {

// A task from submit() to its answer.
struct Job : TaskState {
  explicit Job(Message call) : message(std::move(call)) {}

  std::uint64_t number = 0;  // among those that its worker was given
  Message message;  // the call, kept until it is answered: a worker may die before it begins
  Message answer;   // what its future decodes
};
using JobPtr = std::shared_ptr<Job>;

// Nothing here blocks. Belongs to one thread at a time.
class WorkerLink {
 public:
  WorkerLink(const ipc::AnyChannel& channel, WorkerSlot& slot, std::size_t piece_bytes)
      : channel_(channel),
        slot_(slot),
        piece_bytes_(piece_bytes),
        joiner_(piece_bytes),
        cutter_(piece_bytes) {}

  // Opens new channels and packs the worker's ends. Whatever the predecessor may have torn goes
  // away with the old ones.
  void open(ipc::Parcel& ends) {
    tasks_.reset();
    answers_.reset();
    const ipc::Options options{.message_bytes = piece_bytes_,
                               .capacity = {.bytes = capacity_bytes, .messages = capacity_messages},
                               .handed_over = true};
    auto [task_sender, task_receiver] = channel_.open(options);
    auto [answer_sender, answer_receiver] = channel_.open(options);
    std::move(task_receiver).pack(ends);
    std::move(answer_sender).pack(ends);
    tasks_.emplace(std::move(task_sender));
    answers_.emplace(std::move(answer_receiver));
    joiner_ = Joiner(piece_bytes_);
    cutter_ = Cutter(piece_bytes_);
    received_ = 0;
    slot_.started.store(0, std::memory_order_relaxed);  // sendmsg(2) orders both before the start
    slot_.sent.store(0, std::memory_order_relaxed);
    condemned_ = false;
  }

  void close() {
    tasks_.reset();
    answers_.reset();
  }

  [[nodiscard]] std::size_t load() const { return jobs_.size(); }
  [[nodiscard]] bool condemned() const { return condemned_; }
  void condemn() { condemned_ = true; }
  // A task that did not fit the channel yet.
  [[nodiscard]] bool owes() const { return !cutter_.done(); }
  [[nodiscard]] bool accepts(std::size_t prefetch) const {
    return tasks_ && !condemned_ && !owes() && jobs_.size() < prefetch;
  }

  // Whether the worker has begun it.
  [[nodiscard]] bool runs(const TaskState& state) const {
    const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const JobPtr& each) { return each.get() == &state; });
    return job != jobs_.end() &&
           (*job)->number <=
               slot_.started.load(std::memory_order_acquire);  // partner: Worker::serve
  }

  // Requires accepts(). push() sends it.
  void give(JobPtr job) {
    job->number = ++given_;
    set_header(job->message, job->number);
    cutter_.begin(job->message);
    jobs_.push_back(std::move(job));
  }

  // Sends as many pieces as there is room for. False when the channel is of no use any more.
  bool push() {
    try {
      while (owes()) {
        const auto outcome = tasks_->send(cutter_.piece(), ipc::Deadline::now());
        if (outcome != ipc::Outcome::done) return outcome == ipc::Outcome::timed_out;
        cutter_.sent();
      }
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  // The next job with its answer, if it is there. Throws when the channel or what came over it is
  // of no use any more.
  JobPtr pull() {
    while (answers_ && has_news()) {
      if (!receive()) return nullptr;
      if (joiner_.whole()) return answered();
    }
    return nullptr;
  }

  // The same for a dead worker, who may have sent a piece without counting it.
  JobPtr pull_last() {
    try {
      while (answers_ && receive()) {
        if (joiner_.whole()) return answered();
      }
    } catch (const std::exception&) {
      answers_.reset();  // torn by the death: what was whole has been taken
    }
    return nullptr;
  }

  // Takes the jobs back from a dead worker, with those that it may have run first.
  struct Abandoned {
    std::deque<JobPtr> started;
    std::deque<JobPtr> waiting;
  };
  Abandoned abandon() {
    Abandoned abandoned;
    const auto started = slot_.started.load(std::memory_order_acquire);  // partner: Worker::serve
    for (JobPtr& job : std::exchange(jobs_, {})) {
      auto& to = job->number <= started ? abandoned.started : abandoned.waiting;
      to.push_back(std::move(job));
    }
    cutter_ = Cutter(piece_bytes_);
    return abandoned;
  }

  // Tells the worker that there are no more tasks. Requires that it has none.
  void stop() {
    Message message(sizeof(MessageHeader));
    set_header(message, 0);
    cutter_.begin(message);
    if (tasks_) push();
    cutter_ = Cutter(piece_bytes_);
  }

 private:
  // Modest: a task waits in the pool's memory, not here, and eight POSIX queues of this size fit
  // the default RLIMIT_MSGQUEUE.
  static constexpr std::size_t capacity_bytes = std::size_t{64} << 10;
  static constexpr std::size_t capacity_messages = 16;

  [[nodiscard]] bool has_news() const {
    return slot_.sent.load(std::memory_order_acquire) != received_;  // partner: Worker::send
  }

  bool receive() {
    const auto [outcome, size] = answers_->receive(joiner_.room(), ipc::Deadline::now());
    if (outcome != ipc::Outcome::done) return false;
    ++received_;
    joiner_.add(size);
    return true;
  }

  // A worker answers in the order in which it was asked.
  JobPtr answered() {
    const auto answer = joiner_.view();
    if (jobs_.empty() || jobs_.front()->number != header_of(answer).task) {
      throw std::runtime_error("a worker answered what it was not asked");
    }
    JobPtr job = std::move(jobs_.front());
    jobs_.pop_front();
    job->answer.assign(answer.begin(), answer.end());
    job->message = {};
    return job;
  }

  ipc::AnyChannel channel_;
  WorkerSlot& slot_;
  std::size_t piece_bytes_;
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
