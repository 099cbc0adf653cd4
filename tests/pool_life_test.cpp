// What every pool promises about its life and its futures', clause by clause, over all of them.
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "pools/this_task.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using pool_test::numbers;
using pool_test::pause_ms;
using pool_test::SharedMemory;

using PoolLife = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolLife, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

int twice(int value) {
  return value * 2;
}

TEST_P(PoolLife, AFutureIsTakenOnce) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto future = pool.submit(twice, 1);
  EXPECT_TRUE(future.valid());
  future.get();
  EXPECT_FALSE(future.valid());
  EXPECT_THROW(future.get(), std::future_error);
}

TEST_P(PoolLife, WaitEndsAtItsDeadline) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto future = pool.submit([to = shared.get()] {
    pool_test::await([&] { return to->open.load(); });
    return 1;
  });
  EXPECT_FALSE(future.ready());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(future.wait(ipc::Deadline::in(std::chrono::milliseconds(30))));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(30));
  shared->open = true;
  EXPECT_TRUE(future.wait());
  EXPECT_TRUE(future.ready());
  EXPECT_EQ(future.get(), 1);
}

TEST_P(PoolLife, PollingAloneGetsAnAnswer) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto future = pool.submit(twice, 3);
  pool_test::await([&] { return future.ready(); });
  EXPECT_EQ(future.get(), 6);
}

TEST_P(PoolLife, TasksRunThoughNobodyWaits) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  for (int i = 0; i < 100; ++i) pool.submit([to = shared.get()] { ++to->ran; });
  pool_test::await([&] { return shared->ran == 100; });
  pool_test::pause_ms(250);  // all that went on in the background has gone to sleep
  for (int i = 0; i < 100; ++i) pool.submit([to = shared.get()] { ++to->ran; });
  pool_test::await([&] { return shared->ran == 200; });
}

TEST_P(PoolLife, SubmitAfterCloseIsRefused) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto before = pool.submit(twice, 2);
  pool.close();
  EXPECT_THROW(pool.submit(twice, 1), pools::PoolClosed);
  EXPECT_THROW(pool.map(twice, numbers(3)), pools::PoolClosed);
  EXPECT_EQ(before.get(), 4);
}

TEST_P(PoolLife, JoinBeforeCloseIsRefused) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  EXPECT_THROW(pool.join(), std::logic_error);
  EXPECT_EQ(pool.submit(twice, 2).get(), 4) << "and changes nothing";
}

TEST_P(PoolLife, EndingTwiceIsEndingOnce) {
  {
    pools::AnyPool pool(GetParam(), {.workers = 1});
    auto future = pool.submit(twice, 2);
    pool.close();
    pool.close();
    pool.join();
    pool.join();
    pool.terminate();
    EXPECT_EQ(future.get(), 4);
  }
  {
    pools::AnyPool pool(GetParam(), {.workers = 1});
    pool.terminate();
    pool.terminate();
    pool.close();
    pool.join();
    EXPECT_THROW(pool.submit(twice, 1), pools::PoolClosed);
  }
}

TEST_P(PoolLife, TwoThreadsMayEndIt) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  for (int i = 0; i < 20; ++i) pool.submit(twice, i);
  const auto end = [&] {
    pool.close();
    pool.join();
  };
  std::thread other(end);
  end();
  other.join();
}

TEST_P(PoolLife, TerminateResolvesEveryFuture) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<pools::Future<int>> futures;
  for (int i = 0; i < 500; ++i) {
    futures.push_back(pool.submit([to = shared.get()] {
      ++to->ran;
      pool_test::await([&] { return to->open.load(); });
      return 1;
    }));
  }
  pool_test::await([&] { return shared->ran > 0; });
  // What runs in a thread cannot be killed, and ends when the last task, which had not begun, is
  // known to be terminated.
  std::thread waiter([&shared, last = std::move(futures.back())]() mutable {
    EXPECT_THROW(last.get(), pools::PoolTerminated);
    shared->open = true;
  });
  futures.pop_back();
  pool.terminate();
  waiter.join();
  int terminated = 0;
  for (auto& future : futures) {
    ASSERT_TRUE(future.ready());
    try {
      EXPECT_EQ(future.get(), 1);
    } catch (const pools::PoolTerminated&) {
      ++terminated;
    }
  }
  EXPECT_GE(terminated, 497) << "of 499, two may have run";
}

TEST_P(PoolLife, TheDestructorDrains) {
  std::vector<pools::Future<int>> futures;
  {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    for (int i = 0; i < 30; ++i) {
      futures.push_back(pool.submit(
          [](int x) {
            pause_ms(2);
            return x;
          },
          i));
    }
  }
  for (int i = 0; i < 30; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
}

TEST_P(PoolLife, ADestroyedFutureCancelsNothing) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  for (int i = 0; i < 50; ++i) {
    static_cast<void>(pool.submit([to = shared.get()] { ++to->ran; }));
  }
  pool.close();
  pool.join();
  EXPECT_EQ(shared->ran, 50);
}

TEST_P(PoolLife, ATaskIsToldThatItShouldStop) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const auto is_told = [] { return pools::this_task::stop_requested(); };
  const pools::TaskOptions late{.soft_timeout = std::chrono::hours(1)};
  EXPECT_FALSE(pool.submit(late, is_told).get());
  const pools::TaskOptions soon{.soft_timeout = std::chrono::milliseconds(20)};
  pool.submit(soon, [] { pool_test::await(pools::this_task::stop_requested); }).get();
  EXPECT_FALSE(pool.submit(is_told).get()) << "the next task has no limit";
}

TEST_P(PoolLife, OnlyProcessesAreKilledForATask) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const pools::TaskOptions limited{.hard_timeout = std::chrono::seconds(60)};
  const auto nothing = [] {};
  if (GetParam().processes()) {
    pool.submit(limited, nothing).get();
  } else {
    EXPECT_THROW(pool.submit(limited, nothing), std::invalid_argument);
  }
}

TEST_P(PoolLife, OptionsAreChecked) {
  EXPECT_THROW(pools::AnyPool(GetParam(), {.workers = pools::workers_max + 1}),
               std::invalid_argument);
  pools::AnyPool three(GetParam(), {.workers = 3});
  EXPECT_EQ(three.workers(), 3U);
  EXPECT_GE(pools::worker_count({}), 1U);
}

class ThreadPoolLife : public pool_test::Guarded {};

TEST_F(ThreadPoolLife, ATaskMayWaitForATask) {
  pools::ThreadPool<ipc::StdMutex> pool({.workers = 1});
  const auto outer = [&pool] {
    auto inner = pool.submit(twice, 4);
    return pool
        .submit([inner = std::make_shared<pools::Future<int>>(std::move(inner))] {
          return inner->get() + 1;
        })
        .get();
  };
  EXPECT_EQ(pool.submit(outer).get(), 9);
}

}  // namespace
