// What only threads can do: resize, wait inside tasks, a bounded queue, ending their thread.
#include "pools/thread_pool.hpp"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "ipc/locks.hpp"
#include "pools/wait.hpp"

namespace {

using testing::HasSubstr;
using testing::SizeIs;
using Pool = pools::ThreadPool<ipc::StdMutex>;

template <class Ready>
void await(Ready&& ready) {
  while (!ready()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Tasks that wait until the test lets them go. They may come through when this is gone.
class Gate {
 public:
  void open() { *open_ = true; }
  [[nodiscard]] auto waiter() {
    return [this, open = open_] {
      ++arrived;
      await([&] { return open->load(); });
    };
  }

  std::atomic<int> arrived{0};

 private:
  std::shared_ptr<std::atomic<bool>> open_ = std::make_shared<std::atomic<bool>>(false);
};

// How many threads a pool really has: as many as can wait at a gate at once.
std::size_t threads_of(Pool& pool) {
  std::mutex mutex;
  std::set<std::thread::id> ids;
  std::atomic<std::size_t> inside{0};
  std::vector<pools::Future<void>> futures;
  for (std::size_t i = 0; i < pool.workers(); ++i) {
    futures.push_back(pool.submit([&] {
      ++inside;
      while (inside < pool.workers()) std::this_thread::yield();
      const std::lock_guard hold(mutex);
      ids.insert(std::this_thread::get_id());
    }));
  }
  for (auto& future : futures) future.get();
  return ids.size();
}

TEST(ThreadPool, HasAsManyThreadsAsWorkersHoweverManyTasks) {
  Pool pool({.workers = 3});
  Gate gate;
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < 45; ++i) futures.push_back(pool.submit(gate.waiter()));
  await([&] { return gate.arrived == 3; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(gate.arrived, 3);
  gate.open();
  for (auto& future : futures) future.get();
}

TEST(ThreadPool, GrowsAndShrinks) {
  Pool pool({.workers = 1});
  EXPECT_EQ(threads_of(pool), 1U);
  for (const std::size_t workers : {4U, 2U, 5U, 1U, 3U}) {
    pool.resize(workers);
    EXPECT_EQ(pool.workers(), workers);
    EXPECT_EQ(threads_of(pool), workers);
  }
  EXPECT_THROW(pool.resize(0), std::invalid_argument);
  EXPECT_THROW(pool.resize(pools::workers_max + 1), std::invalid_argument);
}

// While one is there, the stack that a new thread would get is larger than the address space.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    ::pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    ::pthread_attr_init(&huge);
    ::pthread_attr_setstacksize(&huge, std::size_t{1} << 48);
    ::pthread_setattr_default_np(&huge);
    ::pthread_attr_destroy(&huge);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  ~NoMoreThreads() {
    ::pthread_setattr_default_np(&before_);
    ::pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST(ThreadPool, ThreadsThatWereNotToBeHadAreAskedForAgain) {
  Pool pool({.workers = 2});
  {
    const NoMoreThreads none;
    EXPECT_THROW(pool.resize(4), std::system_error);
    EXPECT_EQ(pool.submit([] { return 7; }).get(), 7);
    EXPECT_THROW(Pool({.workers = 1}), std::system_error);
  }
  pool.resize(4);
  EXPECT_EQ(threads_of(pool), 4U);
}

TEST(ThreadPool, ShrinkingCostsNoTask) {
  Pool pool({.workers = 4});
  Gate gate;
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < 4; ++i) futures.push_back(pool.submit(gate.waiter()));
  await([&] { return gate.arrived == 4; });
  std::atomic<int> ran{0};
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit([&] { ++ran; }));
  pool.resize(1);
  gate.open();
  for (auto& future : futures) future.get();
  EXPECT_EQ(ran, 50);
}

TEST(ThreadPool, GrowsBackWhileAThreadThatIsTooManyIsBusy) {
  Pool pool({.workers = 2});
  Gate gate;
  auto first = pool.submit(gate.waiter());
  auto second = pool.submit(gate.waiter());
  await([&] { return gate.arrived == 2; });
  pool.resize(1);
  pool.resize(2);
  gate.open();
  first.get();
  second.get();
  EXPECT_EQ(threads_of(pool), 2U);
}

std::atomic<int> initialized{0};

TEST(ThreadPool, EachThreadIsInitializedOnce) {
  initialized = 0;
  {
    Pool pool({.workers = 3, .initializer = {[](int by) { initialized += by; }, 10}});
    EXPECT_EQ(threads_of(pool), 3U);
    EXPECT_EQ(initialized, 30);
    pool.resize(4);
    EXPECT_EQ(threads_of(pool), 4U);
  }
  EXPECT_EQ(initialized, 40);
}

TEST(ThreadPool, AnInitializerThatThrowsBreaksIt) {
  Pool pool({.workers = 2, .initializer = {[] { throw std::runtime_error("no database"); }}});
  try {
    for (;;) pool.submit([] {}).get();
  } catch (const pools::PoolBroken& error) {
    EXPECT_THAT(error.what(), HasSubstr("no database"));
  }
  EXPECT_THROW(pool.submit([] {}), pools::PoolBroken);
}

int nested(Pool& pool, int depth) {
  return depth == 0 ? 1 : pool.submit([&pool, depth] { return nested(pool, depth - 1); }).get() + 1;
}

TEST(ThreadPool, ATaskMayWaitForTasksOfItsOwnPool) {
  Pool pool({.workers = 1});
  EXPECT_EQ(pool.apply([&] { return nested(pool, 50); }), 51);
}

TEST(ThreadPool, ATaskMayUseEveryVerbOfItsOwnPool) {
  Pool pool({.workers = 1});
  const auto twice = [](int x) { return 2 * x; };
  const std::vector<int> items{1, 2, 3, 4};
  const int sum = pool.apply([&] {
    int all = 0;
    for (const int each : pool.map(twice, items, 1)) all += each;
    for (const int each : pool.map_async(twice, items, 1).get()) all += each;
    for (const int each : pool.imap(twice, items)) all += each;
    for (const int each : pool.imap_unordered(twice, items)) all += each;
    pool.for_each([&](int each) { all += each; }, items, 4);
    std::vector<pools::Future<int>> futures;
    for (const int item : items) futures.push_back(pool.submit(twice, item));
    pools::wait(futures, pools::WaitFor::first_completed);
    pools::wait(futures, pools::WaitFor::first_exception);
    for (auto& future : pools::as_completed(futures)) all += future.get();
    return all;
  });
  EXPECT_EQ(sum, 5 * 20 + 10);
}

TEST(ThreadPool, ManyTasksThatWaitDoNotPileUp) {
  Pool pool({.workers = 2});
  std::vector<pools::Future<int>> futures;
  for (int i = 0; i < 20'000; ++i) {
    futures.push_back(pool.submit([&pool, i] { return pool.submit([i] { return i; }).get() + 1; }));
  }
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(), i + 1);
}

TEST(ThreadPool, AWaitingThreadTakesTasksThatComeLater) {
  Pool pool({.workers = 2});
  std::promise<void> later;
  std::atomic<bool> begun{false};
  auto inner = std::make_shared<pools::Future<void>>(pool.submit([&] {
    begun = true;
    later.get_future().wait();
  }));
  await([&] { return begun.load(); });
  std::atomic<bool> waiting{false};
  auto outer = pool.submit([&, inner] {
    waiting = true;
    inner->get();
  });
  await([&] { return waiting.load(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  // Both threads wait, one of them for a task: it runs this.
  pool.submit([&] { later.set_value(); }).get();
  outer.get();
}

TEST(ThreadPool, AFullQueueBlocks) {
  Pool pool({.workers = 1, .queue_capacity = 2});
  Gate gate;
  auto blocker = pool.submit(gate.waiter());
  await([&] { return gate.arrived == 1; });
  std::atomic<int> submitted{0};
  std::vector<pools::Future<void>> futures;
  std::thread producer([&] {
    for (int i = 0; i < 10; ++i) {
      futures.push_back(pool.submit([] {}));
      ++submitted;
    }
  });
  await([&] { return submitted == 2; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(submitted, 2);
  gate.open();
  producer.join();
  for (auto& future : futures) future.get();
}

TEST(ThreadPool, AFullQueueRejects) {
  Pool pool({.workers = 1, .queue_capacity = 2, .when_full = pools::WhenFull::reject});
  Gate gate;
  auto blocker = pool.submit(gate.waiter());
  await([&] { return gate.arrived == 1; });
  auto first = pool.submit([] {});
  auto second = pool.submit([] {});
  EXPECT_THROW(pool.submit([] {}), pools::QueueFull);
  EXPECT_TRUE(first.cancel());
  auto third = pool.submit([] {});  // a cancelled one makes room
  EXPECT_THROW(pool.submit([] {}), pools::QueueFull);
  gate.open();
  second.get();
  third.get();
}

TEST(ThreadPool, AFullQueueLetsTheCallerRun) {
  Pool pool({.workers = 1, .queue_capacity = 1, .when_full = pools::WhenFull::caller_runs});
  Gate gate;
  auto blocker = pool.submit(gate.waiter());
  await([&] { return gate.arrived == 1; });
  const auto id = [] { return std::this_thread::get_id(); };
  auto queued = pool.submit(id);
  auto here = pool.submit(id);
  EXPECT_TRUE(here.ready());
  EXPECT_EQ(here.get(), std::this_thread::get_id());
  gate.open();
  EXPECT_NE(queued.get(), std::this_thread::get_id());
}

TEST(ThreadPool, AFullQueueDoesNotBlockItsOwnThreads) {
  Pool pool({.workers = 1, .queue_capacity = 1});
  const int sum = pool.apply([&] {
    std::vector<pools::Future<int>> futures;
    for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([i] { return i; }));
    int all = 0;
    for (auto& future : futures) all += future.get();
    return all;
  });
  EXPECT_EQ(sum, 45);
}

TEST(ThreadPool, CloseEndsWaitingForRoom) {
  Pool pool({.workers = 1, .queue_capacity = 1});
  Gate gate;
  auto blocker = pool.submit(gate.waiter());
  await([&] { return gate.arrived == 1; });
  auto queued = pool.submit([] {});
  std::thread producer([&] { EXPECT_THROW(pool.submit([] {}), pools::PoolClosed); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pool.close();
  producer.join();
  gate.open();
  queued.get();
}

TEST(ThreadPool, ATaskThatEndsItsThreadIsAnswered) {
  Pool pool({.workers = 2});
  for (int i = 0; i < 5; ++i) {
    auto ending = pool.submit([] { pthread_exit(nullptr); });
    EXPECT_THROW(ending.get(), pools::ThreadEnded);
  }
  EXPECT_EQ(threads_of(pool), 2U);
}

TEST(ThreadPool, WhatACancelledTaskHeldIsGone) {
  Pool pool({.workers = 1});
  Gate gate;
  auto blocker = pool.submit(gate.waiter());
  await([&] { return gate.arrived == 1; });
  auto held = std::make_shared<int>(1);
  auto waiting = pool.submit([held] { return *held; });
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_TRUE(waiting.cancel());
  EXPECT_EQ(held.use_count(), 1);
  gate.open();
}

TEST(ThreadPool, CancelAndRunRace) {
  Pool pool({.workers = 2});
  std::atomic<int> ran{0};
  int cancelled = 0;
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < 2000; ++i) futures.push_back(pool.submit([&] { ++ran; }));
  for (auto& future : futures) cancelled += future.cancel();
  pool.shutdown();
  EXPECT_EQ(ran + cancelled, 2000);
}

}  // namespace
