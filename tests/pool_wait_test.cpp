// Waiting for many futures, of every pool and of several at once.
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "pools/wait.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using pool_test::SharedMemory;
using pools::WaitFor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

using PoolWait = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolWait, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

using Futures = std::vector<pools::Future<int>>;

ipc::Deadline in_ms(int ms) {
  return ipc::Deadline::in(std::chrono::milliseconds(ms));
}

// Tasks that end when the test says so.
class Gates {
 public:
  explicit Gates(const pools::PoolKind& kind, std::size_t workers = 2)
      : pool(kind, {.workers = workers, .prefetch = 1}) {}
  ~Gates() {
    for (auto& gate : shared_->runs) gate = 1;
  }

  // Gives `number` once open(number) was called; a negative one throws then.
  pools::Future<int> wait_at(int number) {
    const auto gate = static_cast<std::size_t>(std::abs(number));
    return pool.submit([to = shared_.get(), number, gate] {
      pool_test::await([&] { return to->runs[gate] == 1; });
      if (number < 0) throw std::out_of_range("negative");
      return number;
    });
  }
  void open(std::size_t number) { shared_->runs[number] = 1; }

 private:
  SharedMemory shared_;

 public:
  pools::AnyPool pool;
};

pools::Future<int> ready(pools::AnyPool& pool, int value) {
  auto future = pool.submit([](int x) { return x; }, value);
  future.wait();
  return future;
}

TEST_P(PoolWait, ForTheFirst) {
  Gates gates(GetParam());
  Futures futures;
  futures.push_back(gates.wait_at(1));
  futures.push_back(gates.wait_at(2));
  gates.open(2);
  const auto [done, not_done] = pools::wait(futures, WaitFor::first_completed);
  EXPECT_THAT(done, ElementsAre(&futures[1]));
  EXPECT_THAT(not_done, ElementsAre(&futures[0]));
}

TEST_P(PoolWait, ForOneThatIsReadyAlready) {
  Gates gates(GetParam());
  Futures futures;
  futures.push_back(ready(gates.pool, 7));
  futures.push_back(gates.wait_at(1));
  const auto [done, not_done] = pools::wait(futures, WaitFor::first_completed);
  EXPECT_THAT(done, ElementsAre(&futures[0]));
  EXPECT_THAT(not_done, ElementsAre(&futures[1]));
}

TEST_P(PoolWait, ForTheFirstThatFails) {
  Gates gates(GetParam(), 3);
  Futures futures;
  for (const int number : {1, -2, 3}) futures.push_back(gates.wait_at(number));
  gates.open(1);
  futures[0].wait();
  gates.open(2);
  const auto [done, not_done] = pools::wait(futures, WaitFor::first_exception);
  EXPECT_THAT(not_done, ElementsAre(&futures[2]));
  EXPECT_THAT(done, ElementsAre(&futures[0], &futures[1]));
}

TEST_P(PoolWait, ACancelledOneDidNotFail) {
  Gates gates(GetParam(), 1);
  Futures futures;
  for (const int number : {1, 2, 3}) futures.push_back(gates.wait_at(number));
  pool_test::await([&] { return futures[0].state() == pools::Phase::running; });
  ASSERT_TRUE(futures[1].cancel());
  const auto early = pools::wait(futures, WaitFor::first_exception, in_ms(20));
  EXPECT_THAT(early.done, ElementsAre(&futures[1]));
  gates.open(1);
  gates.open(3);
  const auto all = pools::wait(futures, WaitFor::first_exception);
  EXPECT_THAT(all.done, SizeIs(3)) << "none fails, so all are waited for";
}

TEST_P(PoolWait, ForAll) {
  Gates gates(GetParam());
  Futures futures;
  for (const int number : {1, -2}) futures.push_back(gates.wait_at(number));
  const auto early = pools::wait(futures, WaitFor::all_completed, in_ms(20));
  EXPECT_THAT(early.done, IsEmpty());
  EXPECT_THAT(early.not_done, SizeIs(2));
  gates.open(1);
  gates.open(2);
  const auto [done, not_done] = pools::wait(futures);
  EXPECT_THAT(done, SizeIs(2));
  EXPECT_THAT(not_done, IsEmpty());
}

TEST_P(PoolWait, ForNoneReturnsAtOnce) {
  Futures none;
  EXPECT_THAT(pools::wait(none, WaitFor::first_completed).done, IsEmpty());
  EXPECT_THAT(pools::wait(none).done, IsEmpty());
  for (auto& future : pools::as_completed(none)) FAIL() << future.valid();
}

TEST_P(PoolWait, AFutureThatIsNamedTwiceCountsOnce) {
  Gates gates(GetParam());
  auto one = ready(gates.pool, 1);
  auto other = gates.wait_at(2);
  std::vector<pools::AnyFuture> futures{one, other, one};
  const auto [done, not_done] = pools::wait(futures, WaitFor::first_completed);
  EXPECT_THAT(done, ElementsAre(&futures[0]));
  EXPECT_THAT(not_done, ElementsAre(&futures[1]));
  gates.open(2);
  int seen = 0;
  for (auto& future : pools::as_completed(futures)) seen += future.ready();
  EXPECT_EQ(seen, 2);
}

TEST_P(PoolWait, AsCompletedGivesThemAsTheyComplete) {
  Gates gates(GetParam(), 3);
  Futures futures;
  for (const int number : {1, 2, 3}) futures.push_back(gates.wait_at(number));
  gates.open(2);
  std::vector<int> order;
  for (auto& future : pools::as_completed(futures)) {
    order.push_back(future.get());
    gates.open(order.size() == 1 ? 3 : 1);
  }
  EXPECT_THAT(order, ElementsAre(2, 3, 1));
}

TEST_P(PoolWait, AsCompletedOfManyLosesNone) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  Futures futures;
  int expected = 0;
  for (int i = 0; i < 500; ++i) {
    futures.push_back(pool.submit([](int x) { return x; }, i));
    expected += i;
  }
  int sum = 0;
  for (auto& future : pools::as_completed(futures)) sum += future.get();
  EXPECT_EQ(sum, expected);
}

TEST_P(PoolWait, AsCompletedSaysHowManyAreUnfinishedAtItsDeadline) {
  Gates gates(GetParam());
  Futures futures;
  futures.push_back(ready(gates.pool, 1));
  futures.push_back(gates.wait_at(1));
  futures.push_back(ready(gates.pool, 2));
  futures.push_back(gates.wait_at(2));
  std::vector<int> read;
  try {
    for (auto& future : pools::as_completed(futures, ipc::Deadline::now())) {
      read.push_back(future.get());
    }
    FAIL() << "nothing was thrown";
  } catch (const pools::TimedOut& error) {
    EXPECT_THAT(error.what(), HasSubstr("2 (of 4) futures unfinished"));
  }
  EXPECT_THAT(read, ElementsAre(1, 2));
}

TEST_P(PoolWait, FuturesOfSeveralPools) {
  Gates gates(GetParam());
  pools::ThreadPool<ipc::StdMutex> threads({.workers = 1});
  auto first = gates.wait_at(1);
  auto second = threads.submit([] { return std::string("from a thread"); });
  auto third = gates.wait_at(2);
  std::vector<pools::AnyFuture> futures{first, second, third};
  std::vector<const pools::TaskState*> order;
  for (auto& future : pools::as_completed(futures)) {
    order.push_back(future.task_state().get());
    gates.open(order.size());
  }
  EXPECT_THAT(order, ElementsAre(second.task_state().get(), first.task_state().get(),
                                 third.task_state().get()));
}

TEST_P(PoolWait, ManyThreadsWaitForTheSame) {
  Gates gates(GetParam());
  auto first = gates.wait_at(1);
  auto second = gates.wait_at(2);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      std::vector<pools::AnyFuture> futures{first, second};
      if (i % 2 == 0) {
        right += pools::wait(futures, WaitFor::first_completed).done.size() >= 1;
      } else {
        right += pools::wait(futures).done.size() == 2;
      }
    });
  }
  gates.open(2);
  gates.open(1);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 4);
}

}  // namespace
