// Semaphores, events and values that processes share, with holders and waiters that are killed.
#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>

#include "pools/shared/event.hpp"
#include "pools/shared/lock.hpp"
#include "pools/shared/semaphore.hpp"
#include "pools/shared/value.hpp"
#include "tests/shared_fixture.hpp"

namespace {

using namespace shared_test;
using pools::BoundedSemaphore;
using pools::Event;
using pools::Lock;
using pools::Semaphore;
using pools::Shared;
using pools::SharedValue;

TYPED_TEST_SUITE(Workers, BothWorkers, WorkerName);

// --- Semaphores

TEST_F(Guarded, a_semaphore_counts) {
  const Shared<Semaphore> semaphore(2U);
  EXPECT_EQ(semaphore->value(), 2U);
  EXPECT_TRUE(semaphore->acquire());
  EXPECT_TRUE(semaphore->acquire(Deadline::now()));
  EXPECT_FALSE(semaphore->acquire(Deadline::now()));
  EXPECT_GE(time_of([&] { EXPECT_FALSE(semaphore->acquire(Deadline::in(milliseconds(120)))); }),
            milliseconds(120));
  semaphore->release(4);
  EXPECT_EQ(semaphore->value(), 4U) << "it is not bounded";
}

TEST_F(Guarded, a_bounded_semaphore_is_bounded) {
  const Shared<BoundedSemaphore> semaphore(2U);
  EXPECT_THROW(semaphore->release(), std::logic_error);
  EXPECT_TRUE(semaphore->acquire());
  semaphore->release();
  EXPECT_THROW(semaphore->release(), std::logic_error);
  EXPECT_EQ(semaphore->value(), 2U);
}

TYPED_TEST(Workers, share_permits) {
  const Shared<BoundedSemaphore> semaphore(2U);
  const Shared<Counters> counters;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 5; ++i) {
    workers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        semaphore->acquire();
        const int inside = ++counters->inside;
        if (inside > counters->most) counters->most = inside;
        if (n == 0) await(counters->most, 2);  // the first has to meet another one
        if (n % 5 == 0) std::this_thread::sleep_for(microseconds(300));
        --counters->inside;
        semaphore->release();
      }
      return true;
    });
  }
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
  EXPECT_EQ(counters->most, 2);
  EXPECT_EQ(semaphore->value(), 2U);
}

TEST_F(Guarded, permits_of_the_dead_are_given_back) {
  const Shared<BoundedSemaphore> semaphore(3U);
  for (const auto deadline :
       {Deadline::never(), Deadline::now(), Deadline::in(milliseconds(900))}) {
    auto holder = process_that_stays([&] {
      for (int i = 0; i < 3; ++i) semaphore->acquire();
    });
    EXPECT_FALSE(semaphore->acquire(Deadline::now()));
    kill(holder);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(semaphore->acquire(deadline));
    EXPECT_FALSE(semaphore->acquire(Deadline::now()));
    for (int i = 0; i < 3; ++i) semaphore->release();
  }
}

// A waiter that sleeps already, without a deadline, and one that is killed meanwhile.
TEST_F(Guarded, waiters_get_the_permits_of_the_dead) {
  const Shared<Semaphore> semaphore(1U);
  auto holder = process_that_stays([&] { semaphore->acquire(); });
  ipc::Process waiter([&] { return semaphore->acquire() ? 0 : 1; });
  ipc::Process dead_waiter([&] { return semaphore->acquire() ? 0 : 1; });
  pause_ms(10);
  kill(dead_waiter);
  kill(holder);
  EXPECT_TRUE(waiter.join()->success());
  EXPECT_TRUE(semaphore->acquire());
}

TEST_F(Guarded, no_permit_is_lost_whenever_holders_are_killed) {
  const Shared<BoundedSemaphore> semaphore(3U);
  const Shared<Counters> counters;
  const auto work = [&]() -> int {
    for (;;) {
      semaphore->acquire();
      std::this_thread::sleep_for(microseconds(50));
      ++counters->sum;
      semaphore->release();
    }
  };
  ipc::Process survivor(work);
  std::minstd_rand random(2);
  for (int i = 0; i < 60; ++i) {
    ipc::Process victim(work);
    ipc::Process other(work);
    std::this_thread::sleep_for(microseconds(random() % 3000));
    kill(victim);
    kill(other);
  }
  const int before = counters->sum;
  await(counters->sum, before + 3);
  kill(survivor);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(semaphore->acquire(Deadline::now()));
  EXPECT_FALSE(semaphore->acquire(Deadline::now()));
}

// What is counted belongs to nobody.
TEST_F(Guarded, a_consumed_permit_is_not_given_back) {
  const Shared<Semaphore> events(0U);
  ipc::Process consumer([&] {
    for (int i = 0; i < 100; ++i) events->consume();
    return ::raise(SIGKILL);
  });
  for (int i = 0; i < 103; ++i) events->release();
  consumer.join();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(events->consume(Deadline::now()));
  EXPECT_FALSE(events->consume(Deadline::in(milliseconds(120))));
}

TEST_F(Guarded, too_many_holders_are_refused) {
  constexpr std::size_t most = pools::Holdings::processes_max;
  Shared<Semaphore> semaphore(std::uint32_t{most + 1});
  {
    std::vector<ipc::Process> holders;
    for (std::size_t i = 0; i < most; ++i) {
      holders.push_back(process_that_stays([&] { semaphore->acquire(); }));
    }
    EXPECT_THROW(semaphore->acquire(), std::runtime_error);
    EXPECT_EQ(semaphore->value(), 1U);
    kill(holders.front());
    EXPECT_TRUE(semaphore->acquire());
  }
  semaphore->release();
  EXPECT_TRUE(handed_over(semaphore, [](auto& theirs) {
    bool all = true;
    for (std::size_t i = 0; i < most + 1; ++i) all = theirs->acquire(Deadline::now()) && all;
    return all;
  }));
}

// --- Event

TYPED_TEST(Workers, wait_for_an_event) {
  const Shared<Event> event;
  const Shared<Counters> counters;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      const bool early = event->wait(Deadline::in(milliseconds(1)));
      ++counters->started;
      return !early && event->wait() && counters->sum == 7 && event->wait(Deadline::now());
    });
  }
  await(counters->started, 3);
  EXPECT_FALSE(event->is_set());
  counters->sum = 7;
  event->set();
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
  EXPECT_TRUE(event->is_set());
  event->clear();
  EXPECT_FALSE(event->is_set());
  EXPECT_GE(time_of([&] { EXPECT_FALSE(event->wait(Deadline::in(milliseconds(120)))); }),
            milliseconds(120));
}

TYPED_TEST(Workers, are_told_of_an_event_that_is_over_already) {
  const Shared<Event> event;
  const Shared<Counters> counters;
  TypeParam worker([&] {
    ++counters->started;
    return event->wait();
  });
  await(counters->started, 1);
  pause_ms(20);
  event->set();
  event->clear();
  EXPECT_TRUE(worker.join());
}

// Whoever is killed in the middle of set() leaves it set or not; nobody sleeps on.
TEST_F(Guarded, an_event_survives_whoever_is_killed) {
  std::minstd_rand random(3);
  for (int i = 0; i < 60; ++i) {
    const Shared<Event> event;
    ipc::Process waiter([&] { return event->wait() ? 0 : 1; });
    ipc::Process dead_waiter([&] { return event->wait() ? 0 : 1; });
    ipc::Process setter([&] {
      std::this_thread::sleep_for(microseconds(500));
      event->set();
      return ::pause();
    });
    std::this_thread::sleep_for(microseconds(random() % 1500));
    kill(dead_waiter);
    kill(setter);
    if (!event->is_set()) event->set();
    EXPECT_TRUE(waiter.join()->success());
  }
}

// --- SharedValue

struct Wide {
  std::array<long, 16> words{};
  [[nodiscard]] bool whole() const {
    return std::count(words.begin(), words.end(), words.front()) == std::ssize(words);
  }
};
static_assert(pools::Value<long>::is_lock_free && !pools::Value<Wide>::is_lock_free);

Wide next(const Wide& value) {
  Wide result;
  result.words.fill(value.words.front() + 1);
  return result;
}

TYPED_TEST(Workers, update_a_value) {
  const SharedValue<long> number(40);
  const SharedValue<Wide> wide;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      bool whole = true;
      for (int n = 0; n < 1000; ++n) {
        number->update([](long value) { return value + 1; });
        whole = whole && wide->update(next).whole();
      }
      return whole;
    });
  }
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
  EXPECT_EQ(number->load(), 4040);
  EXPECT_EQ(wide->load().words.back(), 4000);
  number->store(5);
  EXPECT_EQ(number->load(), 5);
  EXPECT_THROW(wide->update([](const Wide&) -> Wide { throw std::invalid_argument("no"); }),
               std::invalid_argument);
  EXPECT_EQ(wide->load().words.back(), 4000);
}

TEST_F(Guarded, a_value_is_whole_whenever_writers_are_killed) {
  const SharedValue<Wide> wide;
  const Shared<Counters> counters;
  const auto work = [&]() -> int {
    wide->update(next);
    ++counters->started;
    for (;;) wide->update(next);
  };
  std::minstd_rand random(4);
  for (int i = 0; i < 60; ++i) {
    ipc::Process victim(work);
    await(counters->started, i + 1);
    std::this_thread::sleep_for(microseconds(random() % 1000));
    kill(victim);
    EXPECT_TRUE(wide->load().whole());
  }
  EXPECT_GT(wide->load().words.front(), 0);
}

TEST_F(Guarded, what_is_not_a_shared_object_is_refused) {
  const Shared<Lock> lock;
  ipc::Parcel parcel;
  lock.pack(parcel);
  EXPECT_THROW(Shared<Event>{parcel}, std::runtime_error);
  ipc::Parcel empty;
  EXPECT_THROW(Shared<Event>{empty}, std::runtime_error);
}

}  // namespace
