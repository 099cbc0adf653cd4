// Conditions and barriers between processes and between threads, with waiters that are killed.
#include <array>
#include <deque>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>

#include "pools/shared/barrier.hpp"
#include "pools/shared/condition.hpp"
#include "pools/shared/event.hpp"
#include "tests/shared_fixture.hpp"

namespace {

using namespace shared_test;
using pools::Acquired;
using pools::Barrier;
using pools::BrokenBarrier;
using pools::Condition;
using pools::Lock;
using pools::RLock;
using pools::Shared;

TYPED_TEST_SUITE(Workers, BothWorkers, WorkerName);

// --- Condition

struct Meeting {
  Shared<Lock> lock;
  Shared<Condition> condition;
  Shared<Counters> counters;

  // Waits once; true if notified.
  bool wait(Deadline deadline = Deadline::never()) const {
    lock->acquire();
    ++counters->started;
    const auto woken = condition->wait(*lock, deadline);
    ++counters->ended;
    lock->release();
    return woken.notified;
  }
  void notify(std::uint32_t count) const {
    lock->acquire();
    condition->notify(count);
    lock->release();
  }
};

TYPED_TEST(Workers, are_notified_as_many_as_said) {
  const Meeting meeting;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 6; ++i) workers.emplace_back([&] { return meeting.wait(); });
  await(meeting.counters->started, 6);
  int notified = 0;
  for (const int count : {1, 2, 3}) {
    meeting.notify(static_cast<std::uint32_t>(count));
    notified += count;
    await(meeting.counters->ended, notified);
    pause_ms(120);  // longer than anybody sleeps without a look
    EXPECT_EQ(meeting.counters->ended, notified);
  }
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
}

TYPED_TEST(Workers, are_all_notified) {
  const Meeting meeting;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back([&] { return meeting.wait(); });
  await(meeting.counters->started, 4);
  meeting.lock->acquire();
  meeting.condition->notify_all();
  meeting.lock->release();
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
}

TEST_F(Guarded, a_notification_is_for_those_who_wait) {
  const Meeting meeting;
  meeting.notify(5);
  EXPECT_GE(time_of([&] { EXPECT_FALSE(meeting.wait(Deadline::in(milliseconds(120)))); }),
            milliseconds(120));
  EXPECT_FALSE(meeting.wait(Deadline::now()));
}

TYPED_TEST(Workers, are_notified_before_who_comes_later) {
  const Meeting meeting;
  TypeParam worker([&] { return meeting.wait(); });
  await(meeting.counters->started, 1);
  meeting.lock->acquire();
  meeting.condition->notify();
  EXPECT_FALSE(meeting.condition->wait(*meeting.lock, Deadline::in(milliseconds(120))));
  meeting.lock->release();
  EXPECT_TRUE(worker.join());
}

TYPED_TEST(Workers, wait_for_a_predicate) {
  const Meeting meeting;
  TypeParam worker([&] {
    meeting.lock->acquire();
    ++meeting.counters->started;
    const auto woken =
        meeting.condition->wait(*meeting.lock, [&] { return meeting.counters->sum == 3; });
    meeting.lock->release();
    return woken.notified && meeting.counters->sum == 3;
  });
  await(meeting.counters->started, 1);
  for (int i = 0; i < 3; ++i) {
    meeting.lock->acquire();
    ++meeting.counters->sum;
    meeting.condition->notify();
    meeting.lock->release();
    pause_ms(5);
  }
  EXPECT_TRUE(worker.join());
  meeting.lock->acquire();
  const auto never = [] { return false; };
  EXPECT_FALSE(meeting.condition->wait(*meeting.lock, never, Deadline::in(milliseconds(20))));
  EXPECT_TRUE(meeting.condition->wait(
      *meeting.lock, [] { return true; }, Deadline::now()));
  meeting.lock->release();
}

TYPED_TEST(Workers, let_go_of_a_reentrant_lock_altogether) {
  const Shared<RLock> lock;
  const Shared<Condition> condition;
  const Shared<Counters> counters;
  TypeParam worker([&] {
    for (int i = 0; i < 3; ++i) lock->acquire();
    ++counters->started;
    const bool notified = condition->wait(*lock).notified;
    for (int i = 0; i < 3; ++i) lock->release();
    return notified;
  });
  await(counters->started, 1);
  lock->acquire();
  condition->notify();
  lock->release();
  EXPECT_TRUE(worker.join());
}

TEST_F(Guarded, only_the_owner_of_the_lock_waits) {
  const Meeting meeting;
  EXPECT_THROW(meeting.condition->wait(*meeting.lock), std::logic_error);
  meeting.lock->acquire();
  meeting.condition->notify();  // finds nobody: the refused one has left nothing behind
  EXPECT_FALSE(meeting.condition->wait(*meeting.lock, Deadline::in(milliseconds(20))));
  meeting.lock->release();
}

TEST_F(Guarded, who_waits_is_told_that_an_owner_was_killed) {
  const Meeting meeting;
  ipc::Process waiter([&] {
    meeting.lock->acquire();
    ++meeting.counters->started;
    const auto woken = meeting.condition->wait(*meeting.lock);
    return woken.acquired == Acquired::recovered ? 0 : 1;
  });
  await(meeting.counters->started, 1);
  auto owner = process_that_stays([&] {
    meeting.lock->acquire();
    meeting.condition->notify();
  });
  kill(owner);
  EXPECT_TRUE(waiter.join()->success());
}

// One is killed when it is notified already and waits for the lock: the other one gets it.
TEST_F(Guarded, a_notification_outlives_a_waiter_that_is_killed) {
  for (int i = 0; i < 20; ++i) {
    const Meeting meeting;
    std::array waiters{ipc::Process([&] { return meeting.wait() ? 0 : 1; }),
                       ipc::Process([&] { return meeting.wait() ? 0 : 1; })};
    await(meeting.counters->started, 2);
    meeting.lock->acquire();
    meeting.condition->notify();
    std::this_thread::sleep_for(microseconds(i * 100));
    kill(waiters[static_cast<std::size_t>(i % 2)]);
    meeting.lock->release();
    EXPECT_TRUE(waiters[static_cast<std::size_t>(1 - i % 2)].join()->success());
  }
}

// Items are made and taken one by one, and takers are killed: the one that stays takes the rest.
TEST_F(Guarded, a_condition_goes_on_whenever_waiters_are_killed) {
  const Meeting meeting;
  auto& items = meeting.counters->sum;
  const auto take = [&]() -> int {
    for (;;) {
      meeting.lock->acquire();
      meeting.condition->wait(*meeting.lock, [&] { return items > 0; });
      if (items > 0) --items;
      meeting.lock->release();
    }
  };
  ipc::Process survivor(take);
  std::minstd_rand random(5);
  for (int i = 0; i < 60; ++i) {
    ipc::Process victim(take);
    for (int n = 0; n < 5; ++n) {
      meeting.lock->acquire();
      ++items;
      meeting.condition->notify();
      meeting.lock->release();
      std::this_thread::sleep_for(microseconds(random() % 300));
    }
    kill(victim);
    // Who was told and killed with the lock in its hands leaves the item to whoever comes next.
    await([&] {
      meeting.notify(1);
      return items == 0;
    });
  }
}

// --- Barrier

bool is_broken(Barrier& barrier, Deadline deadline = Deadline::never()) {
  try {
    barrier.wait(deadline);
    return false;
  } catch (const BrokenBarrier&) {
    return true;
  }
}

// No party is ever a round ahead of another one, and each round has one of each number.
TYPED_TEST(Workers, pass_a_barrier_together) {
  constexpr int parties = 10;
  constexpr int rounds = 50;
  const Shared<Barrier> barrier(std::uint32_t{parties});
  const Shared<Counters> counters;
  std::deque<TypeParam> workers;
  for (int i = 0; i < parties; ++i) {
    workers.emplace_back([&] {
      bool right = true;
      for (int round = 0; round < rounds; ++round) {
        ++counters->started;
        const auto before = barrier->wait(Deadline::never(), [&] {
          right = right && counters->started == parties * (round + 1);
          ++counters->ended;
        });
        counters->sum += static_cast<int>(before);
        right = right && counters->ended == round + 1;
        barrier->wait();
      }
      return right;
    });
  }
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
  EXPECT_EQ(counters->ended, rounds);
  EXPECT_EQ(counters->sum, rounds * parties * (parties - 1) / 2);
  EXPECT_EQ(barrier->waiting(), 0U);
  EXPECT_FALSE(barrier->broken());
}

TYPED_TEST(Workers, are_told_when_a_barrier_is_aborted) {
  const Shared<Barrier> barrier(4U);
  std::deque<TypeParam> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back([&] { return is_broken(*barrier); });
  await([&] { return barrier->waiting() == 3; });
  barrier->abort();
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
  EXPECT_TRUE(barrier->broken());
  EXPECT_TRUE(is_broken(*barrier, Deadline::now()));
}

TYPED_TEST(Workers, are_told_when_a_barrier_is_reset) {
  const Shared<Barrier> barrier(3U);
  {
    std::deque<TypeParam> workers;
    for (int i = 0; i < 2; ++i) workers.emplace_back([&] { return is_broken(*barrier); });
    await([&] { return barrier->waiting() == 2; });
    barrier->reset();
    for (auto& worker : workers) EXPECT_TRUE(worker.join());
  }
  EXPECT_FALSE(barrier->broken());
  barrier->abort();
  barrier->reset();
  std::deque<TypeParam> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back([&] { return !is_broken(*barrier); });
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
}

TYPED_TEST(Workers, break_a_barrier_at_a_deadline) {
  const Shared<Barrier> barrier(3U);
  TypeParam patient([&] { return is_broken(*barrier); });
  await([&] { return barrier->waiting() == 1; });
  EXPECT_GE(time_of([&] { EXPECT_TRUE(is_broken(*barrier, Deadline::in(milliseconds(120)))); }),
            milliseconds(120));
  EXPECT_TRUE(patient.join());
  EXPECT_TRUE(barrier->broken());
}

TYPED_TEST(Workers, are_told_when_the_action_throws) {
  const Shared<Barrier> barrier(2U);
  TypeParam other([&] { return is_broken(*barrier); });
  await([&] { return barrier->waiting() == 1; });
  EXPECT_THROW(barrier->wait(Deadline::never(), [] { throw std::domain_error("action"); }),
               std::domain_error);
  EXPECT_TRUE(other.join());
}

// A deadline counts also while the last one is in its action; who comes then is of the next round.
TYPED_TEST(Workers, do_not_wait_for_a_long_action) {
  const Shared<Barrier> barrier(2U);
  const Shared<Counters> counters;
  TypeParam last([&] {
    counters->inside = 1;
    await([&] { return barrier->waiting() == 1; });
    try {
      barrier->wait(Deadline::never(), [&] {
        counters->started = 1;
        await(counters->ended, 1);
      });
    } catch (const BrokenBarrier&) {
      return true;
    }
    return false;
  });
  await(counters->inside, 1);
  // Time enough for the last one to come before it.
  EXPECT_TRUE(is_broken(*barrier, Deadline::in(milliseconds(3000))));
  await(counters->started, 1);
  EXPECT_TRUE(is_broken(*barrier, Deadline::now()));
  counters->ended = 1;
  EXPECT_TRUE(last.join());
}

TEST_F(Guarded, a_barrier_of_one_is_always_passed) {
  const Shared<Barrier> barrier(1U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(barrier->wait(Deadline::now()), 0U);
  EXPECT_EQ(barrier->parties(), 1U);
  EXPECT_THROW(Shared<Barrier>(0U), std::invalid_argument);
}

// Without a deadline.
TEST_F(Guarded, a_party_that_is_killed_while_it_waits_breaks_the_barrier) {
  const Shared<Barrier> barrier(3U);
  ipc::Process victim([&] { return barrier->wait(), 0; });
  ipc::Process survivor([&] { return is_broken(*barrier) ? 0 : 1; });
  await([&] { return barrier->waiting() == 2; });
  kill(victim);
  EXPECT_TRUE(survivor.join()->success());
  EXPECT_TRUE(barrier->broken());
}

TEST_F(Guarded, a_party_that_is_killed_in_its_action_breaks_the_barrier) {
  const Shared<Barrier> barrier(2U);
  ipc::Process survivor([&] { return is_broken(*barrier) ? 0 : 1; });
  await([&] { return barrier->waiting() == 1; });
  ipc::Process victim([&] {
    barrier->wait(Deadline::never(), [] { ::raise(SIGKILL); });
    return 0;
  });
  EXPECT_TRUE(survivor.join()->success());
}

// Wherever one is: the others pass, or are told, in every round.
TEST_F(Guarded, a_barrier_goes_on_whenever_parties_are_killed) {
  std::minstd_rand random(6);
  for (int i = 0; i < 40; ++i) {
    const Shared<Barrier> barrier(3U);
    const auto go_round = [&] {
      while (!is_broken(*barrier, Deadline::in(milliseconds(100)))) {
      }
      return 0;
    };
    ipc::Process one(go_round);
    ipc::Process other(go_round);
    ipc::Process victim(go_round);
    std::this_thread::sleep_for(microseconds(500 + random() % 2000));
    kill(victim);
    EXPECT_TRUE(one.join()->success());
    EXPECT_TRUE(other.join()->success());
    barrier->reset();
    std::array<ipc::Process, 2> again{ipc::Process([&] { return barrier->wait(), 0; }),
                                      ipc::Process([&] { return barrier->wait(), 0; })};
    EXPECT_LT(barrier->wait(), 3U);
    for (auto& process : again) EXPECT_TRUE(process.join()->success());
  }
}

}  // namespace
