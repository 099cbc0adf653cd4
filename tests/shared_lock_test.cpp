// Locks that processes share, with owners and waiters that are killed.
#include <deque>
#include <mutex>
#include <random>
#include <stdexcept>
#include <system_error>

#include <gmock/gmock.h>

#include "pools/shared/event.hpp"
#include "pools/shared/lock.hpp"
#include "tests/shared_fixture.hpp"

namespace {

using namespace shared_test;
using pools::Acquired;
using pools::Event;
using pools::Lock;
using pools::RLock;
using pools::Shared;

TYPED_TEST_SUITE(Workers, BothWorkers, WorkerName);

template <class L>
class Locks : public Guarded {};
struct LockName {
  template <class L>
  static std::string GetName(int) {
    return std::string(L::kind);
  }
};
using BothLocks = testing::Types<Lock, RLock>;
TYPED_TEST_SUITE(Locks, BothLocks, LockName);

TYPED_TEST(Workers, take_turns_at_a_lock) {
  const Shared<Lock> lock;
  const Shared<Counters> counters;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      bool alone = true;
      for (int n = 0; n < 1000; ++n) {
        const std::lock_guard hold(*lock);
        alone = alone && ++counters->inside == 1;
        --counters->inside;
      }
      return alone;
    });
  }
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
}

TYPED_TEST(Locks, give_up_at_the_deadline) {
  const Shared<TypeParam> lock;
  const Shared<Event> over;
  auto holder = ipc::Process([&] {
    lock->acquire();
    const bool told = over->wait();
    lock->release();
    return told ? 0 : 1;
  });
  await([&] {
    const bool is_free = lock->acquire(Deadline::now()) == Acquired::done;
    if (is_free) lock->release();
    return !is_free;
  });
  EXPECT_EQ(lock->acquire(Deadline::now()), Acquired::timed_out);
  EXPECT_GE(time_of([&] {
              EXPECT_EQ(lock->acquire(Deadline::in(milliseconds(30))), Acquired::timed_out);
            }),
            milliseconds(30));
  over->set();
  EXPECT_EQ(lock->acquire(Deadline::in(std::chrono::hours(1))), Acquired::done);
  lock->release();
  EXPECT_TRUE(holder.join()->success());
}

TYPED_TEST(Locks, tell_that_the_owner_was_killed) {
  const Shared<TypeParam> lock;
  for (const auto deadline :
       {Deadline::never(), Deadline::now(), Deadline::in(milliseconds(500))}) {
    auto owner = process_that_stays([&] { lock->acquire(), lock->acquire(Deadline::now()); });
    EXPECT_EQ(lock->acquire(Deadline::now()), Acquired::timed_out);
    kill(owner);
    EXPECT_EQ(lock->acquire(deadline), Acquired::recovered);
    lock->release();
    EXPECT_EQ(lock->acquire(deadline), Acquired::done);
    lock->release();
  }
}

TYPED_TEST(Locks, tell_that_the_owning_thread_has_ended) {
  const Shared<TypeParam> lock;
  std::thread([&] { lock->acquire(); }).join();
  EXPECT_EQ(lock->acquire(), Acquired::recovered);
  lock->release();
}

TYPED_TEST(Locks, belong_to_the_thread_that_acquired_them) {
  const Shared<TypeParam> lock;
  EXPECT_THROW(lock->release(), std::logic_error);
  lock->acquire();
  std::thread([&] { EXPECT_THROW(lock->release(), std::logic_error); }).join();
  ipc::Process child([&] {
    try {
      lock->release();
    } catch (const std::logic_error&) {
      return 0;
    }
    return 1;
  });
  EXPECT_TRUE(child.join()->success());
  lock->release();
  EXPECT_THROW(lock->release(), std::logic_error);
}

TYPED_TEST(Locks, do_not_mind_a_waiter_that_is_killed) {
  const Shared<TypeParam> lock;
  for (const auto deadline : {Deadline::never(), Deadline::in(std::chrono::hours(1))}) {
    lock->acquire();
    ipc::Process waiter([&] { return lock->acquire(deadline), 0; });
    pause_ms(5);
    kill(waiter);
    lock->release();
    EXPECT_EQ(lock->acquire(), Acquired::done);
    lock->release();
  }
}

TYPED_TEST(Locks, are_handed_over) {
  Shared<TypeParam> lock;
  lock->acquire();
  EXPECT_TRUE(handed_over(lock, [](Shared<TypeParam>& theirs) {
    return theirs->acquire(Deadline::now()) == Acquired::timed_out;
  }));
  lock->release();
}

TEST_F(Guarded, a_lock_is_not_given_twice) {
  const Shared<Lock> lock;
  lock->acquire();
  EXPECT_THROW(lock->acquire(), std::system_error);
  EXPECT_EQ(lock->acquire(Deadline::now()), Acquired::timed_out);
  lock->release();
}

TEST_F(Guarded, a_reentrant_lock_is_released_as_often_as_acquired) {
  const Shared<RLock> lock;
  const auto others_get_it = [&] {
    Acquired acquired{};
    std::thread([&] {
      acquired = lock->acquire(Deadline::now());
      if (acquired == Acquired::done) lock->release();
    }).join();
    return acquired == Acquired::done;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(lock->acquire(), Acquired::done);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(others_get_it());
    lock->release();
  }
  EXPECT_TRUE(others_get_it());
  EXPECT_THROW(lock->release(), std::logic_error);
}

// Whoever finds the two numbers different was told of a death.
TEST_F(Guarded, a_lock_goes_on_whenever_owners_are_killed) {
  const Shared<Lock> lock;
  const Shared<Counters> counters;
  const auto work = [&] {
    ++counters->ended;  // it has begun
    for (;;) {
      const Acquired acquired = lock->acquire();
      const bool whole = counters->inside == counters->sum;
      if (!whole && acquired != Acquired::recovered) return 1;
      if (!whole) ++counters->most;
      counters->inside = counters->started + 1;
      std::this_thread::sleep_for(microseconds(100));
      counters->sum = ++counters->started;
      lock->release();
    }
  };
  ipc::Process survivor(work);
  std::minstd_rand random(1);
  for (int i = 0; i < 60; ++i) {
    ipc::Process victim(work);
    await(counters->ended, i + 2);
    std::this_thread::sleep_for(microseconds(random() % 3000));
    kill(victim);
  }
  const int before = counters->started;
  await(counters->started, before + 3);
  EXPECT_FALSE(survivor.join(Deadline::now()).has_value()) << "was not told of a death";
  EXPECT_GT(counters->most, 0) << "nobody was killed inside";
}

}  // namespace
