#include "pools/dispatcher.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "pools/call.hpp"
#include "pools/errors.hpp"

namespace pools {
namespace {

// With workers that have nothing to do but end.
constexpr std::chrono::seconds patience{5};
constexpr std::chrono::milliseconds zygote_checked{100};

// A look at every busy worker's channel is some tens of nanoseconds: the most is a few
// microseconds, after which the collector spins or sleeps where it is in nobody's way.
constexpr std::uint32_t poll_rounds_max = 128;
constexpr std::uint32_t poll_rounds_min = 4;

// Who collects: one thread at a time.
class CollectorRole {
 public:
  // Written under the mutex; whoever reads it without is notified after it (Dispatcher::pass_on).
  explicit CollectorRole(std::atomic<bool>& taken) : taken_(taken) {
    taken_.store(true, std::memory_order_relaxed);
  }
  CollectorRole(const CollectorRole&) = delete;
  ~CollectorRole() { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool>& taken_;
};

}  // namespace

Dispatcher::Dispatcher(const ipc::AnyChannel& channel, const Options& options,
                       std::size_t piece_bytes)
    : options_(options),
      memory_(Board::create()),
      board_(memory_.as<Board>()),
      crew_(channel, options_, piece_bytes, memory_),
      polls_(polls(channel.traits) && channel.traits.wait != ipc::Yield::name),
      poll_rounds_(poll_rounds_max),
      bell_(channel.traits),
      keeper_(mutex_, [this](Lock& lock) { return keep(lock); }) {}

Dispatcher::Lock Dispatcher::enter() {
  owner_.check("this pool");  // in a forked child somebody may hold the mutex for ever
  Lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) return lock;
  callers_.fetch_add(1, std::memory_order_relaxed);
  lock.lock();
  callers_.fetch_sub(1, std::memory_order_relaxed);
  return lock;
}

std::size_t Dispatcher::workers() {
  const Lock lock = enter();
  return crew_.size();
}

void Dispatcher::resize(std::size_t workers) {
  Lock lock = enter();
  require_open();
  crew_.resize(workers, returned_);
  settle();
  while (collect()) {
  }
  call_back(lock);
}

void Dispatcher::require_open() const {
  if (!broken_.empty()) throw PoolBroken(broken_);
  if (closed_) throw PoolClosed();
}

bool Dispatcher::full() const {
  return options_.queue_capacity > 0 && queue_.size() >= options_.queue_capacity;
}

void Dispatcher::submit(JobPtr job) {
  Lock lock = enter();
  require_open();
  while (full() && (collect(), full())) {
    if (options_.when_full == WhenFull::reject) throw QueueFull(options_.queue_capacity);
    if (options_.when_full == WhenFull::caller_runs) return run_here(lock, job);
    await(
        lock, room_, [this] { return queued_ < options_.queue_capacity; }, ipc::Deadline::never());
    require_open();
  }
  ++submitted_;
  ++unresolved_;
  queue_.push_back(std::move(job));
  // Nothing is taken in here while there is room: whoever waits does that.
  if (queue_.size() > 1 || !assign()) {
    if (collect() && collecting_) board_.ring();  // it may have been the collector's
  }
  if (!collecting_) keeper_.rouse(keeper_pace());
  call_back(lock);
}

// As its worker would.
void Dispatcher::run_here(Lock& lock, const JobPtr& job) {
  lock.unlock();
  job->memories = std::move(job->call.memories());
  Reader call(job->call.bytes().subspan(job->prefix_bytes()), &job->memories);
  Writer answer(sizeof(MessageHeader));
  answer_call(call, answer, options_.exceptions);
  job->answer = Answer({answer.bytes().begin(), answer.bytes().end()});
  job->resolve(answer_error(Reader(job->answer.body())));
  job->run_callbacks();
}

bool Dispatcher::wait(TaskState& state, ipc::Deadline deadline) {
  Lock lock = enter();
  return await(
      lock, state.changed(), [&] { return state.ready(); }, deadline);
}

bool Dispatcher::cancel(TaskState& state) {
  Lock lock = enter();
  const auto found = std::ranges::find(queue_, &state, &JobPtr::get);
  if (found == queue_.end()) return state.phase() == Phase::cancelled;
  const JobPtr job = std::move(*found);
  queue_.erase(found);
  cancel(job);
  tell_of_room();
  if (collecting_) board_.ring();  // it may have been the last that the collector waits for
  call_back(lock);
  return true;
}

void Dispatcher::cancel_queued() {
  Lock lock = enter();
  for (const JobPtr& job : std::exchange(queue_, {})) cancel(job);
  tell_of_room();
  if (collecting_) board_.ring();
  call_back(lock);
}

bool Dispatcher::running(const TaskState& state) {
  const Lock lock = enter();
  return crew_.runs(state);
}

void Dispatcher::attend() {
  const Lock lock = enter();
  attended_ = true;
  if (!collecting_) keeper_.rouse(keeper_pace());
}

void Dispatcher::close() {
  const Lock lock = enter();
  closed_ = true;
  close_when_done();
}

void Dispatcher::join() {
  {
    const Lock lock = enter();
    if (!closed_) throw std::logic_error("join() of a pool that is not closed: close() it first");
  }
  wait(settled_, ipc::Deadline::never());
  {
    const Lock lock = enter();
    if (!finished_) finish(ipc::Deadline::in(patience));
  }
  keeper_.stop();
}

void Dispatcher::terminate() {
  {
    Lock lock = enter();
    closed_ = true;
    if (!finished_) {
      finish(ipc::Deadline::now());
      fail_all(PoolTerminated());
    }
    call_back(lock);
  }
  keeper_.stop();
}

bool Dispatcher::collect() {
  const std::uint64_t before = unresolved_;
  if (!finished_) crew_.collect(returned_);
  settle();
  if (!queue_.empty() && assign()) tell_of_room();
  return unresolved_ != before;
}

// Gives workers what they have room for. False when none had any.
bool Dispatcher::assign() {
  bool assigned = false;
  while (!queue_.empty() && !finished_ && crew_.offer(queue_.front(), returned_)) {
    queue_.pop_front();
    assigned = true;
  }
  settle();
  return assigned;
}

void Dispatcher::tell_of_room() {
  if (options_.queue_capacity == 0) return;
  queued_ = queue_.size();
  if (!full()) room_.notify_all();
}

void Dispatcher::settle() {
  if (returned_.empty()) return;
  if (!returned_.answered.empty()) crew_.praise();
  for (const JobPtr& job : returned_.answered) {
    std::exception_ptr error = answer_error(Reader(job->answer.body()));
    const Retry retry = job->retry.value_or(options_.retry);
    if (error != nullptr && retry.exceptions && job->attempts <= retry.times) {
      queue_.push_front(job);
    } else {
      resolve(job, std::move(error));
    }
  }
  for (Returned::Lost& lost : returned_.lost) lose(lost);
  // These have not run: they are the next ones, in their order.
  queue_.insert(queue_.begin(), returned_.not_begun.begin(), returned_.not_begun.end());
  if (!returned_.broken.empty()) break_pool(returned_.broken);
  returned_.clear();
}

void Dispatcher::lose(Returned::Lost& lost) {
  if (lost.may_be_retried && lost.job->attempts <= lost.job->retry.value_or(options_.retry).times) {
    queue_.push_front(std::move(lost.job));
  } else {
    resolve(lost.job, std::move(lost.error));
  }
}

void Dispatcher::resolve(const JobPtr& job, std::exception_ptr error) {
  if (error == nullptr) job->memories = std::move(job->call.memories());
  job->call = Writer();
  job->resolve(std::move(error));
  resolved(job);
}

void Dispatcher::cancel(const JobPtr& job) {
  job->resolve_cancelled();
  resolved(job);
}

void Dispatcher::resolved(const JobPtr& job) {
  if (job->listened()) to_call_back_.push_back(job);
  if (--unresolved_ > 0) return;
  attended_ = false;
  close_when_done();
}

void Dispatcher::close_when_done() {
  if (closed_ && unresolved_ == 0 && !settled_.ready()) settled_.resolve();
}

// Each job gets an error of its own: their futures may belong to many threads.
template <class Error>
void Dispatcher::fail_all(const Error& error) {
  for (const auto& jobs : {crew_.abandon(), std::exchange(queue_, {})}) {
    for (const JobPtr& job : jobs) resolve(job, std::make_exception_ptr(error));
  }
  close_when_done();
  tell_of_room();
  board_.ring();
}

void Dispatcher::break_pool(const std::string& why) {
  if (finished_) return;
  broken_ = why;
  finish(ipc::Deadline::now());
  fail_all(PoolBroken(why));
}

void Dispatcher::finish(ipc::Deadline deadline) {
  finished_ = true;
  crew_.finish(deadline);
}

// With nobody to tell why, a pool without its zygote would wait for ever.
void Dispatcher::check_zygote() {
  if (!finished_ && !crew_.alive()) break_pool(crew_.why_gone());
}

template <class Ready>
bool Dispatcher::await(Lock& lock, ipc::Eventcount& changed, Ready&& ready,
                       ipc::Deadline deadline) {
  while (!ready()) {
    if (collecting_) {
      followers_.push_back(&changed);
      lock.unlock();
      changed.await([&] { return ready() || !collecting_; }, deadline);
      lock.lock();
      followers_.erase(std::ranges::find(followers_, &changed));
    } else {
      collect_until(lock, ready, deadline);
    }
    if (!to_call_back_.empty()) {
      if (!collecting_) pass_on();  // somebody else collects while this thread calls
      call_back(lock);
    }
    if (!ready() && deadline.expired()) break;
  }
  if (!collecting_) pass_on();
  call_back(lock);
  return ready();
}

// Leaves the mutex only to sleep. Comes back early when somebody is to be called back: a callback
// may wait for another task, and somebody has to collect then.
template <class Ready>
void Dispatcher::collect_until(Lock& lock, Ready&& ready, ipc::Deadline deadline) {
  const CollectorRole role(collecting_);
  for (;;) {
    if (poll(ready)) return;
    const auto seen = board_.events.load(std::memory_order_acquire);  // partner: Board::ring
    while (collect()) {
    }
    if (ready() || !to_call_back_.empty() || deadline.expired()) return;
    const auto until =
        earlier(earlier(deadline, crew_.next_change()), ipc::Deadline::in(zygote_checked));
    lock.unlock();
    const bool rang = bell_.await(
        board_.bell, [&] { return board_.events.load(std::memory_order_acquire) != seen; }, until);
    lock.lock();
    if (!rang) check_zygote();
  }
}

// Looks into the channels themselves for a moment, for as long as that has been paying off: the
// answer is there before the bell rings, and the bell's line need not cross then.
template <class Ready>
bool Dispatcher::poll(Ready&& ready) {
  if (!polls_) return false;
  const auto alone = [&] { return callers_.load(std::memory_order_relaxed) == 0; };
  for (std::uint32_t round = 0; round < poll_rounds_ && alone(); ++round) {
    if (collect() && (ready() || !to_call_back_.empty())) {
      poll_rounds_ = std::min(2 * poll_rounds_, poll_rounds_max);
      return true;
    }
  }
  poll_rounds_ = std::max(poll_rounds_ / 2, poll_rounds_min);
  return false;
}

// Calls the next to collect.
void Dispatcher::pass_on() {
  if (!followers_.empty()) {
    followers_.front()->notify_all();
  } else if (unresolved_ > 0 && keeper_pace() >= Keeper::Pace::feeding) {
    keeper_.rouse(keeper_pace());
  }
}

Keeper::Pace Dispatcher::keeper_pace() const {
  if (finished_) return Keeper::Pace::asleep;
  if (unresolved_ == 0) {
    return crew_.next_change().is_never() ? Keeper::Pace::asleep : Keeper::Pace::watching;
  }
  if (attended_) return Keeper::Pace::serving;
  return !queue_.empty() || crew_.owes() ? Keeper::Pace::feeding : Keeper::Pace::watching;
}

Keeper::Pace Dispatcher::keep(Lock& lock) {
  using Pace = Keeper::Pace;
  if (!collecting_) {
    check_zygote();
    while (collect()) {
    }
    call_back(lock);
    if (!collecting_ && keeper_pace() == Pace::serving) {
      collect_until(
          lock, [this] { return keeper_.stopping() || !attended_ || !followers_.empty(); },
          ipc::Deadline::in(zygote_checked));
      if (!followers_.empty()) pass_on();
      call_back(lock);
    }
  }
  // While tasks come and go it stays awake, so that submit() need not wake it.
  const Pace least = submitted_at_turn_ == submitted_ ? Pace::asleep : Pace::watching;
  submitted_at_turn_ = submitted_;
  return std::max(least, collecting_ ? std::min(keeper_pace(), Pace::watching) : keeper_pace());
}

void Dispatcher::call_back(Lock& lock) {
  while (!to_call_back_.empty()) {
    const auto jobs = std::exchange(to_call_back_, {});
    lock.unlock();
    for (const JobPtr& job : jobs) job->run_callbacks();
    lock.lock();
    if (collecting_) board_.ring();  // a callback may have resolved what the collector waits for
  }
}

}  // namespace pools
