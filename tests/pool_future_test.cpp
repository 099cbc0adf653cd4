// What every pool promises about one future: clause by clause, over all of them.
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/pool_fixture.hpp"

namespace {

using pool_test::pause_ms;
using pool_test::SharedMemory;
using testing::ElementsAre;
using testing::HasSubstr;

using PoolFuture = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolFuture, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

int twice(int value) {
  return value * 2;
}

// A pool of one worker, which is busy until open().
class Busy {
 public:
  explicit Busy(const pools::PoolKind& kind)
      : pool(kind, {.workers = 1, .prefetch = 1}), blocker(pool.submit([to = shared_.get()] {
          ++to->ran;
          pool_test::await([&] { return to->open.load(); });
          return 1;
        })) {
    pool_test::await([&] { return shared_->ran == 1; });
  }
  ~Busy() { open(); }

  void open() { shared_->open = true; }

 private:
  SharedMemory shared_;

 public:
  pools::AnyPool pool;
  pools::Future<int> blocker;
};

TEST_P(PoolFuture, GetEndsAtItsDeadlineAndMayBeAskedAgain) {
  Busy busy(GetParam());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THROW(busy.blocker.get(ipc::Deadline::in(std::chrono::milliseconds(20))), pools::TimedOut);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(20));
  EXPECT_TRUE(busy.blocker.valid());
  busy.open();
  EXPECT_EQ(busy.blocker.get(ipc::Deadline::never()), 1);
}

TEST_P(PoolFuture, HasAStateAndCancelsWhatIsNotBegun) {
  using pools::Phase;
  Busy busy(GetParam());
  auto waiting = busy.pool.submit(twice, 1);
  auto next = busy.pool.submit(twice, 2);
  EXPECT_EQ(busy.blocker.state(), Phase::running);
  EXPECT_EQ(waiting.state(), Phase::pending);
  EXPECT_FALSE(busy.blocker.cancel());
  EXPECT_TRUE(waiting.cancel());
  EXPECT_TRUE(waiting.cancel()) << "it is cancelled already";
  EXPECT_EQ(waiting.state(), Phase::cancelled);
  EXPECT_TRUE(waiting.ready());
  EXPECT_TRUE(waiting.cancelled());
  busy.open();
  EXPECT_EQ(next.get(), 4);
  EXPECT_TRUE(busy.blocker.ready());
  EXPECT_EQ(busy.blocker.state(), Phase::done);
  EXPECT_FALSE(busy.blocker.cancel());
  EXPECT_FALSE(busy.blocker.cancelled());
  EXPECT_EQ(busy.blocker.get(), 1);
  EXPECT_THROW(waiting.get(), pools::Cancelled);
}

TEST_P(PoolFuture, ACancelledTaskDoesNotRun) {
  const SharedMemory shared;
  Busy busy(GetParam());
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < 20; ++i) {
    futures.push_back(busy.pool.submit([to = shared.get()] { ++to->ran; }));
  }
  int cancelled = 0;
  for (std::size_t i = 0; i < futures.size(); i += 2) cancelled += futures[i].cancel();
  EXPECT_EQ(cancelled, 10);
  busy.open();
  busy.pool.close();
  busy.pool.join();
  EXPECT_EQ(shared->ran, 10);
}

TEST_P(PoolFuture, TellsItsErrorWithoutThrowing) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto good = pool.submit(twice, 1);
  auto bad = pool.submit([] { throw std::out_of_range("far"); });
  EXPECT_EQ(good.error(), nullptr);
  ASSERT_NE(bad.error(), nullptr);
  EXPECT_THROW(std::rethrow_exception(bad.error()), std::out_of_range);
  EXPECT_THROW(bad.get(), std::out_of_range);
  EXPECT_EQ(good.get(), 2);
}

TEST_P(PoolFuture, CallsBackOnceInOrderThoughNobodyWaits) {
  Busy busy(GetParam());
  std::atomic<int> called{0};
  std::mutex mutex;
  std::vector<std::string> calls;
  const auto note = [&](const char* what) {
    return [&, what] {
      const std::lock_guard hold(mutex);
      calls.emplace_back(what);
      ++called;
    };
  };
  auto failing = busy.pool.submit([] { throw std::runtime_error("no"); });
  busy.blocker.on_done(note("first"));
  busy.blocker.on_done(note("second"));
  busy.blocker.on_done(note("third"));
  busy.open();
  pool_test::await([&] { return called == 3; });
  failing.on_done(note("failed"));
  pool_test::await([&] { return called == 4; });
  EXPECT_TRUE(busy.blocker.ready());
  busy.blocker.on_done(note("late"));
  EXPECT_THAT(calls, ElementsAre("first", "second", "third", "failed", "late"));
}

TEST_P(PoolFuture, CallsBackWhenItIsCancelled) {
  Busy busy(GetParam());
  auto waiting = busy.pool.submit(twice, 1);
  bool called = false;
  waiting.on_done([&] { called = true; });
  EXPECT_FALSE(called);
  waiting.cancel();
  EXPECT_TRUE(called);
}

TEST_P(PoolFuture, ACallbackThatThrowsIsReportedAndStopsNobody) {
  Busy busy(GetParam());
  std::atomic<bool> called{false};
  busy.blocker.on_done([] { throw std::runtime_error("in the callback"); });
  busy.blocker.on_done([] { throw 42; });
  busy.blocker.on_done([&] { called = true; });
  testing::internal::CaptureStderr();
  busy.open();
  pool_test::await([&] { return called.load(); });
  const std::string reported = testing::internal::GetCapturedStderr();
  EXPECT_THAT(reported, HasSubstr("in the callback"));
  EXPECT_THAT(reported, HasSubstr("no std::exception"));
  EXPECT_EQ(busy.blocker.get(), 1);
}

TEST_P(PoolFuture, ACallbackMaySubmitAndWait) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::promise<int> answer;
  pool.submit(twice, 2).then(
      [&](pools::Future<int> first) { answer.set_value(pool.submit(twice, first.get()).get()); });
  EXPECT_EQ(answer.get_future().get(), 8);
}

TEST_P(PoolFuture, CallbacksAddedWhileItIsResolvedAreCalledOnceEach) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> calls{0};
    auto future = pool.submit(twice, round);
    for (int i = 0; i < 20; ++i) future.on_done([&] { ++calls; });
    EXPECT_EQ(future.get(), 2 * round);
    pool_test::await([&] { return calls >= 20; });
    ASSERT_EQ(calls, 20);
  }
}

TEST_P(PoolFuture, BecomesAStdFuture) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  EXPECT_EQ(pool.submit(twice, 4).to_std().get(), 8);
  pool.submit([] {}).to_std().get();
  EXPECT_THROW(pool.submit([] { throw std::range_error("out"); }).to_std().get(), std::range_error);
}

TEST_P(PoolFuture, IsOfNoUseAfterGet) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto future = pool.submit(twice, 1);
  future.get();
  EXPECT_THROW(future.cancel(), std::future_error);
  EXPECT_THROW(static_cast<void>(future.state()), std::future_error);
  EXPECT_THROW(static_cast<void>(future.error()), std::future_error);
  EXPECT_THROW(future.on_done([] {}), std::future_error);
}

TEST(TaskState, IsResolvedOnce) {
  pools::TaskState state;
  state.resolve(std::make_exception_ptr(std::domain_error("first")));
  EXPECT_THROW(state.resolve(), std::future_error);
  EXPECT_THROW(state.resolve_cancelled(), std::future_error);
  EXPECT_EQ(state.phase(), pools::Phase::done);
  EXPECT_THROW(state.check(), std::domain_error);
}

TEST(TaskState, ForgetsACallback) {
  pools::TaskState state;
  int calls = 0;
  state.on_ready([&] { calls += 1; });
  const auto forgotten = state.on_ready([&] { calls += 10; });
  state.on_ready([&] { calls += 100; });
  state.forget(forgotten);
  state.resolve();
  EXPECT_EQ(calls, 0) << "resolve() may be called under a lock";
  state.run_callbacks();
  EXPECT_EQ(calls, 101);
  state.run_callbacks();
  EXPECT_EQ(calls, 101);
}

}  // namespace
