#include "pools/crew.hpp"

#include <signal.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "pools/errors.hpp"

namespace pools {
namespace {

std::size_t least_of(const Options& options, std::size_t workers) {
  const std::size_t least = options.workers_min.value_or(workers);
  if (least > workers) {
    throw std::invalid_argument("workers_min is " + std::to_string(least) + ", above workers, " +
                                std::to_string(workers));
  }
  return least;
}

}  // namespace

Crew::Crew(const ipc::AnyChannel& channel, const Options& options, std::size_t piece_bytes,
           const ipc::Mapping& board)
    : channel_(channel),
      options_(options),
      piece_bytes_(piece_bytes),
      settings_{.piece_bytes = piece_bytes,
                .tasks_max = options.worker_tasks_max,
                .memory_bytes_max = options.worker_memory_bytes_max,
                .initializer = options.initializer,
                .exceptions = options.exceptions},
      board_(board.as<Board>()),
      zygote_(options, board),
      long_calls_(options.shared_memory_bytes == 0
                      ? nullptr
                      : std::make_shared<ArenaOwner>(Arena::create(), options.shared_memory_bytes)),
      target_(worker_count(options)),
      least_(least_of(options, target_)) {
  for (std::size_t i = 0; i < target_; ++i) add_place();
  for (std::size_t i = 0; i < least_; ++i) try_start(i);
  zygote_.confirm();
}

void Crew::add_place() {
  places_.push_back(
      {.link = WorkerLink(channel_, board_.workers[places_.size()], piece_bytes_, long_calls_)});
}

// Throws when it cannot be done.
void Crew::try_start(std::size_t index) {
  Place& place = places_[index];
  ipc::Parcel order = ZygoteClient::start_order(index, worker_main);
  put_worker_order(order, channel_, settings_);
  place.link.open(order);
  if (!zygote_.start(order)) throw PoolBroken(zygote_.why_gone());
  place.stage = Stage::present;
  place.since = elastic() ? Clock::now() : Clock::time_point{};
}

void Crew::start(std::size_t index, Returned& returned) {
  try {
    try_start(index);
  } catch (const PoolBroken&) {
    returned.broken = zygote_.why_gone();
  } catch (const std::exception& error) {
    returned.broken = std::string("a worker cannot be started: ") + error.what();
  }
}

std::size_t Crew::count_present() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      places_, [](const Place& place) { return place.stage == Stage::present; }));
}

void Crew::resize(std::size_t workers, Returned& returned) {
  target_ = workers;
  least_ = std::min(options_.workers_min.value_or(workers), workers);
  while (places_.size() < target_) add_place();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Stage& stage = places_[i].stage;
    if (i >= target_ && stage == Stage::present) stage = Stage::leaving;
    if (i >= target_ && stage == Stage::paused) stage = Stage::vacant;
    if (i < target_ && stage == Stage::leaving) stage = Stage::present;
  }
  for (std::size_t i = 0; i < target_ && count_present() < least_; ++i) {
    if (places_[i].stage == Stage::vacant) start(i, returned);
  }
  dismiss_idle();
}

void Crew::collect(Returned& returned) {
  // Partner: ZygoteLoop::report_death. What a worker sent before its death is in its channel by
  // now.
  const auto deaths = board_.deaths.load(std::memory_order_acquire);
  if (deaths != deaths_seen_) {
    deaths_seen_ = deaths;
    while (!finished_ && returned.broken.empty()) {
      const auto death = zygote_.next_death();
      if (!death) break;
      bury(*death, returned);
    }
  }
  bool some_change = false;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Stage stage = places_[i].stage;
    if (stage == Stage::present || stage == Stage::leaving) collect_from(i, returned);
    some_change = some_change || stage == Stage::paused || stage == Stage::leaving;
  }
  if (!some_change && !elastic()) return;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].stage == Stage::paused && Clock::now() >= places_[i].since) start(i, returned);
  }
  dismiss_idle();
}

void Crew::collect_from(std::size_t index, Returned& returned) {
  Place& place = places_[index];
  if (place.link.condemned()) return;
  try {
    while (JobPtr job = place.link.pull()) {
      returned.answered.push_back(std::move(job));
      if (elastic() && place.link.load() == 0) place.since = Clock::now();
    }
  } catch (const std::exception&) {
    condemn(index, returned);
  }
  if (place.link.owes() && !place.link.push()) condemn(index, returned);
}

// Tells those to end that are too many, and have nothing to do.
void Crew::dismiss_idle() {
  std::size_t present = count_present();
  const auto now = Clock::now();
  for (Place& place : places_) {
    if (place.link.load() > 0) continue;
    const bool idle_for_long = place.stage == Stage::present && present > least_ &&
                               now - place.since >= options_.idle_timeout;
    if (place.stage != Stage::leaving && !idle_for_long) continue;
    if (place.stage == Stage::present) --present;
    place.link.stop();
    place.stage = Stage::stopped;
  }
}

bool Crew::offer(JobPtr& job, Returned& returned) {
  const std::size_t none = places_.size();
  std::size_t best = none;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    if (place.stage != Stage::present || !place.link.accepts(options_.prefetch)) continue;
    if (best == none || place.link.load() < places_[best].link.load()) best = i;
  }
  if (elastic() && (best == none || places_[best].link.load() > 0)) {
    for (std::size_t i = 0; i < target_; ++i) {
      if (places_[i].stage != Stage::vacant) continue;
      start(i, returned);
      if (!returned.broken.empty()) return false;
      best = i;
      break;
    }
  }
  if (best == none) return false;
  places_[best].link.give(std::move(job));
  if (!places_[best].link.push()) condemn(best, returned);
  return true;
}

std::deque<JobPtr> Crew::abandon() {
  std::deque<JobPtr> all;
  for (Place& place : places_) {
    auto [started, waiting] = place.link.abandon();
    all.insert(all.end(), started.begin(), started.end());
    all.insert(all.end(), waiting.begin(), waiting.end());
  }
  return all;
}

void Crew::finish(ipc::Deadline deadline) {
  finished_ = true;
  if (deadline.is_now()) {
    zygote_.stop();
  } else {
    for (Place& place : places_) place.link.stop();
    zygote_.finish(deadline);
  }
  for (Place& place : places_) place.link.close();
}

bool Crew::runs(const TaskState& state) const {
  return std::ranges::any_of(places_, [&](const Place& place) { return place.link.runs(state); });
}

bool Crew::owes() const {
  return std::ranges::any_of(places_, [](const Place& place) { return place.link.owes(); });
}

ipc::Deadline Crew::next_change() const {
  auto next = ipc::Deadline::never();
  for (const Place& place : places_) {
    if (place.stage == Stage::paused) {
      next = earlier(next, ipc::Deadline::in(place.since - Clock::now()));
    }
    if (place.stage == Stage::present && elastic() && place.link.load() == 0) {
      next = earlier(next, ipc::Deadline::in(place.since + options_.idle_timeout - Clock::now()));
    }
  }
  return next;
}

// Its channel is of no use any more. Its death will be reported, and then it is replaced.
void Crew::condemn(std::size_t index, Returned& returned) {
  WorkerLink& link = places_[index].link;
  if (link.condemned()) return;
  link.condemn();
  if (!zygote_.kill(index)) returned.broken = zygote_.why_gone();
}

void Crew::bury(const DeathReport& death, Returned& returned) {
  WorkerLink& link = places_[death.worker].link;
  // Not where one that was killed may hold a lock of the channel: what it sent last is lost then.
  const bool retired = link.slot().retires.load(std::memory_order_acquire);  // by Worker::serve
  if (channel_.traits.waiter_may_be_killed || retired) {
    while (JobPtr job = link.pull_last()) returned.answered.push_back(std::move(job));
  }
  const auto killed_at = std::chrono::nanoseconds(link.slot().killed_at_ns.load());
  const bool timed_out = killed_at.count() > 0 && death.status.signal == SIGKILL &&
                         Clock::now().time_since_epoch() >= killed_at;
  auto [started, waiting] = link.abandon();
  for (JobPtr& job : started) {
    auto error =
        timed_out
            ? std::make_exception_ptr(TaskTimedOut(
                  death.pid, std::chrono::nanoseconds(job->limits ? job->limits->hard_ns : 0)))
            : std::make_exception_ptr(WorkerDied(death.pid, death.status, true, job->attempts));
    returned.lost.push_back(
        {.job = std::move(job), .error = std::move(error), .may_be_retried = !timed_out});
  }
  returned.not_begun.insert(returned.not_begun.end(), waiting.begin(), waiting.end());
  replace(death.worker, death, !started.empty() || !returned.answered.empty(), returned);
}

void Crew::replace(std::size_t index, const DeathReport& death, bool took_a_task,
                   Returned& returned) {
  Place& place = places_[index];
  const WorkerSlot& slot = place.link.slot();
  const bool wanted =
      index < target_ && (place.stage != Stage::stopped || count_present() < least_);
  const bool planned = slot.retires.load(std::memory_order_acquire) ||  // partner: Worker::serve
                       place.stage == Stage::stopped || place.stage == Stage::leaving;
  place.stage = Stage::vacant;
  if (!planned && !took_a_task) {
    returned.broken = loss_of(slot, death);
    if (!returned.broken.empty()) return;
  }
  if (!wanted) return;
  const std::size_t in_a_row = std::max(idle_deaths_, start_failures_);
  if (planned || took_a_task || in_a_row < 2) return start(index, returned);
  place.stage = Stage::paused;
  place.since = Clock::now() +
                std::min(options_.restart.pause_max,
                         options_.restart.pause * (1 << std::min<std::size_t>(in_a_row - 2, 20)));
}

// Counts a worker that died without having taken a task; says why, when that was one too many.
std::string Crew::loss_of(const WorkerSlot& slot, const DeathReport& death) {
  const std::string how = death.fork_error != 0
                              ? std::string("fork: ") + std::strerror(death.fork_error)
                              : death.status.text();
  // Who was killed by somebody before it was ready has not failed to start.
  const bool failed = !slot.serves.load(std::memory_order_acquire) && death.fork_error == 0 &&
                      death.status.signal != SIGKILL && settings_.initializer.given();
  if (failed && ++start_failures_ >= options_.restart.start_failures_max) {
    const std::string_view text(slot.start_failure.data());
    return "the initializer failed in " + std::to_string(start_failures_) +
           " workers in a row; the last one " + how +
           (text.empty() ? std::string() : ": " + std::string(text));
  }
  if (!failed && ++idle_deaths_ > options_.restart.idle_deaths_max) {
    return std::to_string(idle_deaths_) + " workers in a row ended without taking a task; " +
           (death.fork_error != 0 ? how : "the last one " + how);
  }
  return {};
}

}  // namespace pools
