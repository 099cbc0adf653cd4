#include "pools/worker_link.hpp"

#include <cstring>
#include <stdexcept>

namespace pools {

WorkerLink::WorkerLink(const ipc::AnyChannel& channel, WorkerSlot& slot, std::size_t piece_bytes,
                       std::shared_ptr<ArenaOwner> long_calls)
    : channel_(channel),
      slot_(slot),
      piece_bytes_(piece_bytes),
      polls_(polls(channel.traits)),
      rings_(!channel.traits.waiter_may_be_killed),
      long_calls_(std::move(long_calls)),
      joiner_(piece_bytes),
      cutter_(piece_bytes) {}

void WorkerLink::open(ipc::Parcel& ends) {
  close();
  const ipc::Options options{.message_bytes = piece_bytes_,
                             .capacity = {.bytes = capacity_bytes, .messages = capacity_messages},
                             .handed_over = true};
  auto [task_sender, task_receiver] = channel_.open(options);
  auto [answer_sender, answer_receiver] = channel_.open(options);
  std::move(task_receiver).pack(ends);
  std::move(answer_sender).pack(ends);
  ends.put(long_calls_ == nullptr ? std::size_t{0} : long_calls_->short_bytes());
  if (long_calls_ != nullptr) {
    long_answers_ = std::make_shared<Arena>(Arena::create());
    long_calls_->arena().pack(ends);
    long_answers_->pack(ends);
  }
  tasks_.emplace(std::move(task_sender));
  answers_.emplace(std::move(answer_receiver));
  joiner_ = Joiner(piece_bytes_);
  cutter_ = Cutter(piece_bytes_);
  given_ = 0;
  received_ = 0;
  slot_.reset();  // sendmsg(2) orders it before the start
  condemned_ = false;
}

void WorkerLink::close() {
  tasks_.reset();
  answers_.reset();
  long_answers_.reset();
}

void WorkerLink::give(JobPtr job) {
  job->number = ++given_;
  job->attempts += 1;
  if (job->limits) {
    job->limits->attempt = job->attempts;
    std::memcpy(job->call.bytes().data() + sizeof(MessageHeader), &*job->limits,
                sizeof(TaskLimits));
  }
  cutter_.begin(job->call, job->number | (job->limits ? limited_task : 0));
  jobs_.push_back(std::move(job));
}

bool WorkerLink::push() {
  try {
    while (owes()) {
      const auto outcome = tasks_->send(cutter_.piece(), ipc::Deadline::now());
      if (outcome != ipc::Outcome::done) return outcome == ipc::Outcome::timed_out;
      cutter_.sent();
      if (rings_) {
        slot_.given.fetch_add(1, std::memory_order_release);  // partner: Worker::receive
        slot_.bell.notify_all();
      }
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

JobPtr WorkerLink::pull() {
  while (answers_ && has_news()) {
    if (!receive()) return nullptr;
    if (joiner_.whole()) return answered();
  }
  return nullptr;
}

JobPtr WorkerLink::pull_last() {
  try {
    while (answers_ && receive()) {
      if (joiner_.whole()) return answered();
    }
  } catch (const std::exception&) {
    answers_.reset();  // torn by the death: what was whole has been taken
  }
  return nullptr;
}

WorkerLink::Abandoned WorkerLink::abandon() {
  Abandoned abandoned;
  for (JobPtr& job : std::exchange(jobs_, {})) {
    const bool started = has_begun(*job);
    if (!started) job->attempts -= 1;
    job->number = 0;
    (started ? abandoned.started : abandoned.waiting).push_back(std::move(job));
  }
  cutter_ = Cutter(piece_bytes_);
  return abandoned;
}

void WorkerLink::stop() {
  Writer message(sizeof(MessageHeader));
  cutter_.begin(message, 0);
  if (tasks_) push();
  cutter_ = Cutter(piece_bytes_);
  answers_.reset();  // some senders linger for as long as there is a receiver
}

bool WorkerLink::receive() {
  const auto [outcome, size] = answers_->receive(joiner_.room(), ipc::Deadline::now());
  if (outcome != ipc::Outcome::done) return false;
  ++received_;
  joiner_.add(size);
  return true;
}

// A worker answers in the order in which it was asked.
JobPtr WorkerLink::answered() {
  const MessageHeader header = header_of(joiner_.view());
  if (jobs_.empty() || jobs_.front()->number != number_of(header)) {
    throw std::runtime_error("a worker answered what it was not asked");
  }
  const auto extent = extent_of(joiner_.view());
  Answer answer = extent ? Answer(Loan(long_answers_, *extent)) : Answer(joiner_.take());
  JobPtr job = std::move(jobs_.front());
  jobs_.pop_front();
  job->answer = std::move(answer);
  return job;
}

}  // namespace pools
