// What every pool promises when it is shut down, clause by clause, over all of them.
#include <thread>
#include <vector>

#include "tests/pool_fixture.hpp"

namespace {

using pool_test::SharedMemory;

using PoolShutdown = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolShutdown, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

// Tasks that wait until the test lets them go; the first has begun.
std::vector<pools::Future<void>> waiting_tasks(pools::AnyPool& pool, const SharedMemory& shared,
                                               int count) {
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < count; ++i) {
    futures.push_back(pool.submit([to = shared.get()] {
      ++to->ran;
      pool_test::await([&] { return to->open.load(); });
    }));
  }
  pool_test::await([&] { return shared->ran > 0; });
  return futures;
}

TEST_P(PoolShutdown, CancelsWhatIsNotBegunWhenAskedTo) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2, .prefetch = 1});
  auto futures = waiting_tasks(pool, shared, 50);
  pool.shutdown(false, true);
  shared->open = true;
  pool.shutdown();
  int cancelled = 0;
  for (auto& future : futures) {
    ASSERT_TRUE(future.ready());
    cancelled += future.cancelled();
  }
  EXPECT_EQ(cancelled, 50 - shared->ran);
  EXPECT_GT(cancelled, 40);
}

TEST_P(PoolShutdown, WithoutWaitingReturnsAndTheTasksEnd) {
  const SharedMemory shared;
  std::vector<pools::Future<void>> futures;
  {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    futures = waiting_tasks(pool, shared, 10);
    pool.shutdown(false);
    EXPECT_THROW(pool.submit([] {}), pools::PoolClosed);
    EXPECT_FALSE(futures.back().ready());
    shared->open = true;
  }
  for (auto& future : futures) future.get();
  EXPECT_EQ(shared->ran, 10);
}

TEST_P(PoolShutdown, MayBeAskedForTwiceInAnyOrderFromTwoThreads) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<pools::Future<int>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit([](int x) { return x; }, i));
  std::thread other([&] {
    pool.shutdown();
    pool.terminate();
  });
  pool.close();
  pool.shutdown();
  pool.shutdown(true, true);
  other.join();
  for (auto& future : futures) EXPECT_TRUE(future.ready());
}

TEST_P(PoolShutdown, AtOnceAfterMoreTasksThanWorkers) {
  for (int round = 0; round < 5; ++round) {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    for (int i = 0; i < 3; ++i) static_cast<void>(pool.submit([] {}));
  }
}

}  // namespace
