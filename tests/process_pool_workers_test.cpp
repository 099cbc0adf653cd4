// How the workers of a process pool come and go, and what limits their tasks keep, over every
// channel.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ipc/channels/unix_stream.hpp"
#include "pools/this_task.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using namespace std::chrono_literals;
using pool_test::children_of;
using pool_test::numbers;
using pool_test::pause_ms;
using pool_test::Shared;
using pool_test::SharedMemory;
using pool_test::zygotes_of;
using testing::HasSubstr;

class ProcessPoolWorkers : public pool_test::OverPools {
 protected:
  static const ipc::AnyChannel& channel() { return *GetParam().channel; }
};

std::vector<pools::PoolKind> process_pools() {
  auto kinds = pools::all_pools();
  std::erase_if(kinds, [](const pools::PoolKind& kind) { return !kind.processes(); });
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Every, ProcessPoolWorkers, testing::ValuesIn(process_pools()),
                         pool_test::name_of);

pid_t whoami() {
  return ::getpid();
}

// The workers of all pools of this process.
std::size_t workers_alive() {
  std::size_t count = 0;
  for (const pid_t zygote : zygotes_of(::getpid())) count += children_of(zygote).size();
  return count;
}

template <class Error, class Action>
std::string text_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_P(ProcessPoolWorkers, EachIsInitializedOnce) {
  const SharedMemory shared;
  pools::AnyProcessPool pool(
      channel(),
      {.workers = 2, .initializer = {[all = shared.get()](int by) { all->ran += by; }, 10}});
  const auto ran = [all = shared.get()] { return all->ran.load(); };
  EXPECT_GE(pool.submit(ran).get(), 10);
  pool_test::await([&] { return shared->ran == 20; });
  EXPECT_THROW(pool.submit([] { ::_exit(3); }).get(), pools::WorkerDied);
  pool_test::await([&] { return shared->ran == 30; });  // the successor, too
}

TEST_P(ProcessPoolWorkers, AnInitializerThatFailsBreaksThePool) {
  pools::AnyProcessPool pool(
      channel(), {.workers = 2,
                  .initializer = {[](const std::string& text) { throw std::runtime_error(text); },
                                  std::string("no database")}});
  const auto text = text_of<pools::PoolBroken>([&] { pool.submit(whoami).get(); });
  EXPECT_THAT(text, HasSubstr("initializer failed in 3 workers"));
  EXPECT_THAT(text, HasSubstr("no database"));
  EXPECT_THROW(pool.submit(whoami), pools::PoolBroken);
  EXPECT_EQ(workers_alive(), 0U);
}

TEST_P(ProcessPoolWorkers, AnInitializerThatExitsBreaksThePool) {
  pools::AnyProcessPool pool(channel(), {.workers = 1, .initializer = {[] { ::_exit(9); }}});
  EXPECT_THAT(text_of<pools::PoolBroken>([&] { pool.submit(whoami).get(); }),
              HasSubstr("exited with code 9"));
}

TEST_P(ProcessPoolWorkers, AreReplacedAfterSoManyTasks) {
  pools::AnyProcessPool pool(channel(), {.workers = 1, .worker_tasks_max = 3, .prefetch = 1});
  std::vector<pid_t> pids;
  for (int i = 0; i < 7; ++i) pids.push_back(pool.submit(whoami).get());
  EXPECT_EQ(pids[0], pids[2]);
  EXPECT_NE(pids[2], pids[3]);
  EXPECT_EQ(pids[3], pids[5]);
  EXPECT_NE(pids[5], pids[6]);
  pool_test::await([] { return workers_alive() == 1; });
}

TEST_P(ProcessPoolWorkers, AreReplacedWithoutLosingATask) {
  pools::AnyProcessPool pool(channel(), {.workers = 2, .worker_tasks_max = 1});
  std::vector<pools::Future<int>> futures;
  for (const int i : numbers(40)) futures.push_back(pool.submit([i] { return i; }));
  pool.close();
  for (const int i : numbers(40)) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
}

TEST_P(ProcessPoolWorkers, AreReplacedWhenTheyHaveGrown) {
  constexpr std::size_t limit = std::size_t{64} << 20;
  pools::AnyProcessPool pool(channel(),
                             {.workers = 1, .worker_memory_bytes_max = limit, .prefetch = 1});
  const pid_t first = pool.submit(whoami).get();
  EXPECT_EQ(pool.submit(whoami).get(), first);
  const auto grow = [](std::size_t bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory != MAP_FAILED;
  };
  EXPECT_TRUE(pool.submit(grow, limit).get());
  EXPECT_NE(pool.submit(whoami).get(), first);
}

TEST_P(ProcessPoolWorkers, ThatAreIdleAreUsedBeforeAnotherIsStarted) {
  pools::AnyProcessPool pool(channel(), {.workers = 3, .workers_min = 0, .idle_timeout = 1h});
  EXPECT_EQ(workers_alive(), 0U);
  const pid_t one = pool.submit(whoami).get();
  EXPECT_EQ(pool.submit(whoami).get(), one);
  EXPECT_EQ(workers_alive(), 1U);
}

TEST_P(ProcessPoolWorkers, ComeWhenTheyAreNeededAndGoWhenTheyAreIdle) {
  const SharedMemory shared;
  pools::AnyProcessPool pool(channel(), {.workers = 3, .workers_min = 0, .idle_timeout = 50ms});
  EXPECT_EQ(workers_alive(), 0U);
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < 9; ++i) {
    futures.push_back(pool.submit([all = shared.get()] {
      ++all->ran;
      pool_test::await([&] { return all->open.load(); });
    }));
  }
  pool_test::await([&] { return shared->ran == 3; });
  EXPECT_EQ(workers_alive(), 3U);
  shared->open = true;
  for (auto& future : futures) future.get();
  pool_test::await([] { return workers_alive() == 0; });
  EXPECT_GT(pool.submit(whoami).get(), 0);
}

TEST_P(ProcessPoolWorkers, CanBecomeMoreAndFewer) {
  pools::AnyProcessPool pool(channel(), {.workers = 1});
  EXPECT_GT(pool.submit(whoami).get(), 0);
  pool.resize(3);
  EXPECT_EQ(pool.workers(), 3U);
  pool_test::await([] { return workers_alive() == 3; });
  auto futures = std::vector<pools::Future<int>>();
  for (const int i : numbers(30)) futures.push_back(pool.submit([i] { return i; }));
  pool.resize(1);
  for (const int i : numbers(30)) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
  pool_test::await([&] { return pool.submit(whoami).get() > 0 && workers_alive() == 1; });
}

TEST_P(ProcessPoolWorkers, RunATaskAgainWhenItsWorkerDied) {
  const SharedMemory shared;
  const auto dies_twice = [all = shared.get()] {
    if (++all->ran <= 2) ::raise(SIGKILL);
    return static_cast<int>(pools::this_task::attempt());
  };
  pools::AnyProcessPool pool(channel(), {.workers = 1});
  const pools::TaskOptions twice{.retry = pools::Retry{.times = 2}};
  EXPECT_EQ(pool.submit(twice, dies_twice).get(), 3);
  shared->ran = 0;
  try {
    pool.submit(pools::TaskOptions{.retry = pools::Retry{.times = 1}}, dies_twice).get();
    FAIL() << "the second death was retried";
  } catch (const pools::WorkerDied& died) {
    EXPECT_EQ(died.attempts, 2U);
    EXPECT_EQ(died.status.signal, SIGKILL);
    EXPECT_TRUE(died.may_have_run);
  }
}

TEST_P(ProcessPoolWorkers, RunATaskAgainThatThrewWhereThatIsWanted) {
  const SharedMemory shared;
  const auto throws_once = [all = shared.get()] {
    if (++all->ran == 1) throw std::runtime_error("once");
    return all->ran.load();
  };
  pools::AnyProcessPool pool(channel(), {.workers = 1, .retry = {.times = 1}});
  EXPECT_THROW(pool.submit(throws_once).get(), std::runtime_error);
  shared->ran = 0;
  const pools::TaskOptions also{.retry = pools::Retry{.times = 1, .exceptions = true}};
  EXPECT_EQ(pool.submit(also, throws_once).get(), 2);
}

TEST_P(ProcessPoolWorkers, AreKilledWithATaskThatTakesTooLong) {
  pools::AnyProcessPool pool(channel(), {.workers = 1, .prefetch = 1});
  const pid_t first = pool.submit(whoami).get();
  const pools::TaskOptions generous{.hard_timeout = 1h};
  EXPECT_EQ(pool.submit(
                    generous, [](int x) { return x; }, 7)
                .get(),
            7);
  const pools::TaskOptions limited{.hard_timeout = 30ms};
  auto hangs = pool.submit(limited, [] { pool_test::await([] { return false; }); });
  auto stops = pool.submit(limited, [] { ::raise(SIGSTOP); });
  auto behind = pool.submit(whoami);
  EXPECT_THAT(text_of<pools::TaskTimedOut>([&] { hangs.get(); }), HasSubstr("30"));
  EXPECT_THROW(stops.get(), pools::TaskTimedOut) << "a worker that is stopped";
  EXPECT_NE(behind.get(), first);
}

TEST_P(ProcessPoolWorkers, AFullQueueRefuses) {
  const SharedMemory shared;
  pools::AnyProcessPool pool(
      channel(),
      {.workers = 1, .queue_capacity = 2, .when_full = pools::WhenFull::reject, .prefetch = 1});
  const auto wait = [all = shared.get()] { pool_test::await([&] { return all->open.load(); }); };
  std::vector<pools::Future<void>> futures;
  for (int i = 0; i < 3; ++i) futures.push_back(pool.submit(wait));
  EXPECT_THAT(text_of<pools::QueueFull>([&] { pool.submit(wait); }), HasSubstr("2 waiting tasks"));
  shared->open = true;
  for (auto& future : futures) future.get();
  pool.submit(wait).get();
}

TEST_P(ProcessPoolWorkers, AFullQueueIsWaitedFor) {
  const SharedMemory shared;
  pools::AnyProcessPool pool(channel(), {.workers = 1, .queue_capacity = 1, .prefetch = 1});
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 20; ++i) pool.submit([all = shared.get()] { ++all->ran; });
    });
  }
  for (auto& caller : callers) caller.join();
  pool.close();
  pool.join();
  EXPECT_EQ(shared->ran, 60);
}

TEST_P(ProcessPoolWorkers, AFullQueueIsTheCallersWork) {
  const SharedMemory shared;
  pools::AnyProcessPool pool(channel(), {.workers = 1,
                                         .queue_capacity = 1,
                                         .when_full = pools::WhenFull::caller_runs,
                                         .prefetch = 1});
  const auto wait = [all = shared.get()] { pool_test::await([&] { return all->open.load(); }); };
  auto running = pool.submit(wait);
  auto queued = pool.submit(wait);
  EXPECT_EQ(pool.submit(whoami).get(), ::getpid());
  auto thrown = pool.submit([] { throw std::out_of_range("here"); });
  EXPECT_THROW(thrown.get(), std::out_of_range);
  shared->open = true;
  running.get();
  queued.get();
}

using ProcessPoolOptions = pool_test::Guarded;

TEST_F(ProcessPoolOptions, ThatCannotBeAreRefused) {
  EXPECT_THAT(text_of<std::invalid_argument>([] {
                pools::ProcessPool<ipc::UnixStream> pool({.workers = 1, .workers_min = 2});
              }),
              HasSubstr("workers_min is 2, above workers, 1"));
  EXPECT_THROW(pools::ProcessPool<ipc::UnixStream>({.workers = 257}), std::invalid_argument);
}

}  // namespace
