#include "pools/worker.hpp"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "pools/call.hpp"
#include "pools/code.hpp"
#include "pools/this_task.hpp"

namespace pools {
namespace {

// Arguments and results of some MiB come and go with each task: their pages stay, which costs less
// than new ones (mallopt(3)). Beyond these sizes memory is given back.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

// Of this process: statm's second field (proc_pid_statm(5)).
std::size_t resident_bytes() {
  std::size_t total_pages = 0;
  std::size_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void put_worker_order(ipc::Parcel& order, const ipc::AnyChannel& channel,
                      const WorkerSettings& settings) {
  order.put(code_address(channel.self));
  order.put(settings.piece_bytes);
  order.put(settings.tasks_max);
  order.put(settings.memory_bytes_max);
  order.put_bytes(settings.initializer.call());
  order.put(code_address(settings.exceptions));
}

int worker_main(std::size_t worker, Board& board, ipc::Parcel& order) {
  const auto channel = code_at<decltype(ipc::AnyChannel::self)>(order.take<CodeAddress>())();
  // Braces: taken in the order in which they were put.
  const WorkerSettings settings{.piece_bytes = order.take<std::size_t>(),
                                .tasks_max = order.take<std::size_t>(),
                                .memory_bytes_max = order.take<std::size_t>(),
                                .initializer = Initializer(order.take_bytes()),
                                .exceptions = code_at<ExceptionTypes>(order.take<CodeAddress>())};
  return Worker(channel, order, board, board.workers[worker], settings).serve();
}

Worker::Worker(const ipc::AnyChannel& channel, ipc::Parcel& ends, Board& board, WorkerSlot& slot,
               const WorkerSettings& settings)
    : settings_(settings),
      waiter_may_be_killed_(channel.traits.waiter_may_be_killed),
      tasks_(channel.unpack_receiver(ends)),
      answers_(channel.unpack_sender(ends)),
      board_(board),
      slot_(slot),
      joiner_(settings.piece_bytes),
      cutter_(settings.piece_bytes) {
  if (const auto short_bytes = ends.take<std::size_t>(); short_bytes > 0) {
    long_tasks_.emplace(ends);
    long_answers_ = std::make_shared<ArenaOwner>(Arena(ends), short_bytes);
  }
}

int Worker::serve() {
  keep_freed_memory();
  if (!initialize()) return 1;
  while (const auto message = next()) {
    const MessageHeader task = header_of(*message);
    if (task.task == 0) return 0;
    const auto number = number_of(task);
    slot_.started.store(number, std::memory_order_release);  // partner: WorkerLink::has_begun
    Writer out(sizeof(MessageHeader), long_answers_.get());
    answer(task, *message, out);
    if (!send(out, number)) return 0;
    ++served_;
    if (used_up()) {
      slot_.retires.store(true, std::memory_order_release);  // partner: Crew::replace
      return 0;
    }
  }
  return 0;
}

bool Worker::initialize() {
  try {
    settings_.initializer();
    slot_.serves.store(true, std::memory_order_release);  // partner: Crew::loss_of
    return true;
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    std::copy_n(text.begin(), std::min(text.size(), slot_.start_failure.size() - 1),
                slot_.start_failure.begin());
    return false;
  }
}

void Worker::answer(const MessageHeader& task, ipc::Bytes message, Writer& out) {
  const bool limited = (task.task & limited_task) != 0;
  try {
    if (const auto extent = extent_of(message)) {
      if (!long_tasks_) throw std::runtime_error("a task in shared memory, and there is none");
      message = long_tasks_->at(*extent);
    }
    Reader call(body_of(message), &memories_);
    if (limited) {
      TaskLimits limits;
      std::memcpy(&limits, call.take(sizeof limits).data(), sizeof limits);
      begin(limits);
      call = Reader(call.left(), &memories_);  // alignment counts from here
    }
    answer_call(call, out, settings_.exceptions);
  } catch (...) {
    answer_failure(out, sizeof(MessageHeader), settings_.exceptions);
  }
  memories_.keep_last(memories_max);
  if (limited) end_limits();
}

void Worker::begin(const TaskLimits& limits) {
  detail::running_task.attempt = static_cast<unsigned>(limits.attempt);
  if (limits.soft_ns > 0) {
    detail::running_task.soft_deadline =
        ipc::Deadline::in(std::chrono::nanoseconds(limits.soft_ns));
  }
  if (limits.hard_ns > 0) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    slot_.killed_at_ns.store(std::chrono::nanoseconds(now).count() + limits.hard_ns,
                             std::memory_order_release);  // partner: Crew::bury
    kill_timer_.set(std::chrono::nanoseconds(limits.hard_ns));
  }
}

void Worker::end_limits() {
  detail::running_task = {};
  if (slot_.killed_at_ns.load(std::memory_order_relaxed) == 0) return;
  kill_timer_.set(std::chrono::nanoseconds(0));
  slot_.killed_at_ns.store(0, std::memory_order_relaxed);
}

bool Worker::used_up() const {
  if (settings_.tasks_max > 0 && served_ >= settings_.tasks_max) return true;
  return settings_.memory_bytes_max > 0 && resident_bytes() > settings_.memory_bytes_max;
}

// A wait that may be cut off by SIGKILL at any time must do no harm. Where it would, waits are
// short, so that a peer that was killed inside the channel is noticed. They are short too while
// there is memory to be had back, or to be let go.
ipc::Deadline Worker::patience() const {
  if (waiter_may_be_killed_ && !lent_much_ && memories_.empty()) return ipc::Deadline::never();
  return ipc::Deadline::in(std::chrono::milliseconds(100));
}

// Where a worker that waits in the channel must not be killed, it waits beside it.
ipc::Received Worker::receive() {
  if (waiter_may_be_killed_) return tasks_.receive(joiner_.room(), patience());
  slot_.bell.await(
      [this] {
        return slot_.given.load(std::memory_order_acquire) != received_;  // partner: push()
      },
      patience());
  return tasks_.receive(joiner_.room(), ipc::Deadline::now());
}

std::optional<ipc::Bytes> Worker::next() {
  for (;;) {
    const auto [outcome, size] = receive();
    if (outcome == ipc::Outcome::closed) return std::nullopt;
    if (outcome == ipc::Outcome::timed_out) {
      lent_much_ = long_answers_ != nullptr && long_answers_->sweep();
      memories_.keep_last(0);
      continue;
    }
    ++received_;
    if (joiner_.add(size)) return joiner_.view();
    board_.ring();  // there is room for the next piece
  }
}

bool Worker::send(Writer& answer, std::uint64_t task) {
  cutter_.begin(answer, task);
  if (answer.block().valid()) lent_much_ = long_answers_->lend(answer.take_block());
  while (!cutter_.done()) {
    const auto outcome = answers_.send(cutter_.piece(), patience());
    if (outcome == ipc::Outcome::closed) return false;
    if (outcome == ipc::Outcome::timed_out) continue;
    cutter_.sent();
    // After the piece is in the channel: the pool that acquires this finds it there. Nobody else
    // writes it.
    slot_.sent.store(slot_.sent.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    board_.ring();
  }
  return true;
}

Worker::KillTimer::~KillTimer() {
  if (exists_) ::timer_delete(timer_);
}

// timer_create(2) takes any signal, SIGKILL too: the kernel does it, whatever this process does.
void Worker::KillTimer::set(std::chrono::nanoseconds from_now) {
  if (!exists_) {
    sigevent kill{};
    kill.sigev_notify = SIGEV_SIGNAL;
    kill.sigev_signo = SIGKILL;
    ipc::check("timer_create", [&] { return ::timer_create(CLOCK_MONOTONIC, &kill, &timer_); });
    exists_ = true;
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(from_now);
  const itimerspec when{.it_interval = {},
                        .it_value = {.tv_sec = seconds.count(),
                                     .tv_nsec = static_cast<long>((from_now - seconds).count())}};
  ipc::check("timer_settime", [&] { return ::timer_settime(timer_, 0, &when, nullptr); });
}

}  // namespace pools
