#include "pools/shared/barrier.hpp"

#include <string>

namespace pools {

Barrier::Barrier(std::uint32_t parties) : parties_(parties) {
  static_assert(std::atomic<Rounds>::is_always_lock_free);
  if (parties == 0) throw std::invalid_argument("a barrier for 0 parties; 1 is the least");
}

std::uint32_t Barrier::wait(ipc::Deadline deadline, const std::function<void()>& action) {
  std::uint32_t round = 0;
  const std::uint32_t before = arrive(round, deadline);
  if (before + 1 == parties_) {
    complete(round, action);
  } else {
    await_others(round, deadline);
  }
  return before;
}

std::uint32_t Barrier::arrive(std::uint32_t& round, ipc::Deadline deadline) {
  std::uint32_t before = 0;
  // While the last one of a round is in its action, the next round has not begun.
  const auto can_come = [this] { return broken_ != Cause::none || arrived() < parties_; };
  const auto come = [&] {
    if (broken_ != Cause::none) throw_broken();
    round = rounds_.load().count;
    before = arrived();
    if (members_round_ != round) members_.clear();
    members_round_ = round;
    members_.add();
  };
  if (!monitor_.when(
          change_, can_come, [this] { break_if_one_died(); }, deadline, come)) {
    abort();
    throw BrokenBarrier("barrier: the deadline came while the round before was not over");
  }
  return before;
}

void Barrier::await_others(std::uint32_t round, ipc::Deadline deadline) {
  const auto over = [&] { return broken_ != Cause::none || rounds_.load().count != round; };
  const bool in_time = monitor_.when(
      change_, over, [this] { break_if_one_died(); }, deadline, [] {});
  monitor_.with([&] {
    if (!in_time && !over()) break_for(Cause::deadline);
    const Rounds rounds = rounds_.load();
    const std::uint32_t ago = rounds.count - round;
    if (ago == 0) throw_broken();
    const bool completed = ago <= 32 && (rounds.completed >> (ago - 1) & 1) == 1;
    if (!completed) throw BrokenBarrier("barrier: it was reset while this party waited");
  });
}

void Barrier::complete(std::uint32_t round, const std::function<void()>& action) {
  try {
    if (action) action();  // outside: others may come, and give up, meanwhile
  } catch (...) {
    monitor_.with([&] {
      if (rounds_.load().count == round) break_for(Cause::action);
    });
    throw;
  }
  monitor_.with([&] {
    if (rounds_.load().count != round) {
      throw BrokenBarrier("barrier: it was reset while this party was in its action");
    }
    if (broken_ != Cause::none) throw_broken();
    end_round(true);
  });
}

void Barrier::abort() {
  monitor_.with([this] { break_for(Cause::abort); });
}

void Barrier::reset() {
  monitor_.with([this] {
    if (arrived() > 0) end_round(false);
    broken_ = Cause::none;
  });
}

bool Barrier::broken() {
  return monitor_.with([this] { return broken_ != Cause::none; });
}

std::uint32_t Barrier::waiting() {
  return monitor_.with([this] { return broken_ == Cause::none ? arrived() : 0; });
}

std::uint32_t Barrier::arrived() const {
  if (members_round_ != rounds_.load().count) return 0;
  return static_cast<std::uint32_t>(members_.total());
}

void Barrier::break_for(Cause cause) {
  if (broken_ == Cause::none) broken_ = cause;
  Monitor::notify(change_);
}

void Barrier::break_if_one_died() {
  if (arrived() > 0 && members_.forget_the_dead()) break_for(Cause::death);
}

void Barrier::end_round(bool completed) {
  const Rounds rounds = rounds_.load();
  rounds_.store({.count = rounds.count + 1,
                 .completed = rounds.completed << 1 | static_cast<std::uint32_t>(completed)});
  Monitor::notify(change_);
}

void Barrier::throw_broken() const {
  const auto text = [this]() -> std::string {
    switch (broken_) {
      case Cause::deadline:
        return "the deadline of a party came first";
      case Cause::death:
        return "a party was killed while it waited";
      case Cause::action:
        return "its action has thrown";
      default:
        return "it was aborted";
    }
  };
  throw BrokenBarrier("barrier: " + text() + "; reset() makes it new");
}

}  // namespace pools
