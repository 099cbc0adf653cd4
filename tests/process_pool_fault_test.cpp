// What a process pool promises when processes die, over all of them.
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ipc/channels/pipe.hpp"
#include "ipc/process.hpp"
#include "pools/program_threads.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using pool_test::await_end;
using pool_test::children_of;
using pool_test::pause_ms;
using pool_test::pidfd_of;
using pool_test::Shared;
using pool_test::SharedMemory;
using pool_test::zygotes_of;
using testing::HasSubstr;

using ProcessPoolFaults = pool_test::OverPools;

std::vector<pools::PoolKind> process_pools() {
  auto kinds = pools::all_pools();
  std::erase_if(kinds, [](const pools::PoolKind& kind) { return !kind.processes(); });
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Every, ProcessPoolFaults, testing::ValuesIn(process_pools()),
                         pool_test::name_of);

pid_t whoami() {
  return ::getpid();
}

// Says who runs it, and goes on until it is let go.
int wait_until_open(Shared* shared) {
  shared->pid = ::getpid();
  pool_test::await([&] { return shared->open.load(); });
  return 1;
}

template <class Future>
pools::WorkerDied death_of(Future& future) {
  try {
    future.get();
  } catch (const pools::WorkerDied& died) {
    return died;
  }
  throw std::logic_error("the worker of this task did not die");
}

TEST_P(ProcessPoolFaults, AKilledWorkerCostsItsTaskAlone) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  // The first runs; the second is in the worker's channel; the others wait in the pool.
  auto killed = pool.submit([to = shared.get()] { return wait_until_open(to); });
  std::vector<pools::Future<std::size_t>> others;
  for (std::size_t i = 0; i < 20; ++i) {
    others.push_back(pool.submit([to = shared.get(), i] {
      ++to->runs[i];
      return i;
    }));
  }
  pool_test::await([&] { return shared->pid != 0; });
  ::kill(shared->pid, SIGKILL);
  const auto died = death_of(killed);
  EXPECT_EQ(died.pid, shared->pid);
  EXPECT_EQ(died.status.signal, SIGKILL);
  EXPECT_TRUE(died.may_have_run);
  for (std::size_t i = 0; i < others.size(); ++i) {
    EXPECT_EQ(others[i].get(), i);
    EXPECT_EQ(shared->runs[i], 1) << "task " << i;
  }
  EXPECT_NE(pool.submit(whoami).get(), died.pid);
}

TEST_P(ProcessPoolFaults, HowAWorkerEndedIsTold) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  for (int i = 0; i < 3; ++i) {
    auto left = pool.submit([] { ::_exit(3); });
    auto aborted = pool.submit([] { std::abort(); });
    auto terminated = pool.submit([] { ::raise(SIGTERM); });
    auto sound = pool.submit(whoami);
    const auto code = death_of(left);
    EXPECT_EQ(code.status.code, 3);
    EXPECT_EQ(code.status.signal, 0);
    EXPECT_THAT(code.what(), HasSubstr("exited with code 3"));
    EXPECT_EQ(death_of(aborted).status.signal, SIGABRT);
    EXPECT_EQ(death_of(terminated).status.signal, SIGTERM);
    EXPECT_GT(sound.get(), 0);
  }
}

TEST_P(ProcessPoolFaults, AnAnswerGivenBeforeTheDeathCounts) {
  if (!GetParam().channel->traits.waiter_may_be_killed) {
    GTEST_SKIP() << "nobody looks into this channel after a death";
  }
  if (!GetParam().channel->traits.sent_outlives_sender) {
    GTEST_SKIP() << "what a worker sent over this channel dies with it";
  }
  for (int i = 0; i < 20; ++i) {
    pools::AnyPool pool(GetParam(), {.workers = 1});
    auto answered = pool.submit(whoami);
    auto died = pool.submit([] { ::raise(SIGKILL); });
    EXPECT_THROW(died.get(), pools::WorkerDied);
    EXPECT_GT(answered.get(), 0);
  }
}

TEST_P(ProcessPoolFaults, IdleWorkersMayBeKilled) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  pid_t last = 0;
  for (int round = 0; round < 50; ++round) {
    const pid_t pid = pool.submit(whoami).get();
    EXPECT_NE(pid, last) << "it is dead";
    ::kill(pid, SIGKILL);
    last = pid;
  }
  EXPECT_EQ(pool.map([](int i) { return i; }, pool_test::numbers(100)), pool_test::numbers(100));
}

TEST_P(ProcessPoolFaults, AllWorkersMayBeKilledAtOnce) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 3, .prefetch = 1});
  std::vector<pools::Future<int>> running;
  for (int i = 0; i < 3; ++i) {
    running.push_back(pool.submit([to = shared.get()] {
      ++to->ran;
      return wait_until_open(to);
    }));
  }
  std::vector<pools::Future<int>> queued;
  for (int i = 0; i < 10; ++i) queued.push_back(pool.submit([](int x) { return x; }, i));
  pool_test::await([&] { return shared->ran == 3; });
  for (const pid_t zygote : zygotes_of(::getpid())) {
    for (const pid_t worker : children_of(zygote)) ::kill(worker, SIGKILL);
  }
  for (auto& future : running) EXPECT_EQ(death_of(future).status.signal, SIGKILL);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(queued[static_cast<std::size_t>(i)].get(), i);
}

TEST_P(ProcessPoolFaults, ADeathIsNoticedThoughNobodyWaits) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  pool.submit([] { ::_exit(1); });
  pool.submit([to = shared.get()] { ++to->ran; });
  pool_test::await([&] { return shared->ran == 1; });
}

TEST_P(ProcessPoolFaults, NobodyOutlivesThePoolsProcess) {
  const SharedMemory shared;
  ipc::Process owner([&] {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    auto busy = pool.submit([to = shared.get()] { return wait_until_open(to); });
    busy.wait();
    return 0;
  });
  pool_test::await([&] { return shared->pid != 0; });
  const auto zygotes = zygotes_of(owner.pid());
  ASSERT_EQ(zygotes.size(), 1U);
  pool_test::await([&] { return children_of(zygotes.front()).size() == 2; });
  std::vector<ipc::Fd> watched;
  watched.push_back(pidfd_of(zygotes.front()));
  for (const pid_t worker : children_of(zygotes.front())) watched.push_back(pidfd_of(worker));
  owner.kill(SIGKILL);
  for (const auto& each : watched) await_end(each);
}

TEST_P(ProcessPoolFaults, TerminateKillsTheWorkers) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto future = pool.submit([to = shared.get()] { return wait_until_open(to); });
  pool_test::await([&] { return shared->pid != 0; });
  const auto worker = pidfd_of(shared->pid);
  pool.terminate();
  EXPECT_TRUE(ipc::poll(worker.get(), POLLIN, ipc::Deadline::now()));
  EXPECT_THROW(future.get(), pools::PoolTerminated);
}

TEST_P(ProcessPoolFaults, WithoutItsZygoteAPoolIsBroken) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const pid_t zygote = pool.submit([] { return ::getppid(); }).get();
  std::vector<pools::Future<int>> futures;
  for (int i = 0; i < 10; ++i) {
    futures.push_back(pool.submit([to = shared.get()] { return wait_until_open(to); }));
  }
  ::kill(zygote, SIGKILL);
  for (auto& future : futures) EXPECT_THROW(future.get(), pools::PoolBroken);
  EXPECT_THROW(pool.submit(whoami), pools::PoolBroken);
}

TEST_P(ProcessPoolFaults, WorkersThatCannotLiveAreNotStartedForEver) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2, .restart = {.idle_deaths_max = 3}});
  auto busy = pool.submit([to = shared.get()] { return wait_until_open(to); });
  pool_test::await([&] { return shared->pid != 0; });
  const auto zygotes = zygotes_of(::getpid());
  while (!busy.ready()) {
    for (const pid_t zygote : zygotes) {
      for (const pid_t worker : children_of(zygote)) {
        if (worker != shared->pid) ::kill(worker, SIGKILL);
      }
    }
  }
  try {
    busy.get();
    FAIL() << "the pool is not broken";
  } catch (const pools::PoolBroken& broken) {
    EXPECT_THAT(broken.what(), HasSubstr("4 workers in a row"));
  }
}

TEST_P(ProcessPoolFaults, CtrlCIsForTheParent) {
  ::signal(SIGINT, SIG_DFL);  // what runs in the background may have inherited it as ignored
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const pid_t worker = pool.submit(whoami).get();
  ::kill(worker, SIGINT);
  for (const pid_t zygote : zygotes_of(::getpid())) ::kill(zygote, SIGINT);
  EXPECT_EQ(pool.submit(whoami).get(), worker);
}

TEST_P(ProcessPoolFaults, PoolsSideBySideEndInAnyOrder) {
  std::optional<pools::AnyPool> first(std::in_place, GetParam(), pools::Options{.workers = 1});
  std::optional<pools::AnyPool> second(std::in_place, GetParam(), pools::Options{.workers = 1});
  EXPECT_NE(first->submit(whoami).get(), second->submit(whoami).get());
  first.reset();
  EXPECT_GT(second->submit(whoami).get(), 0);
}

TEST_P(ProcessPoolFaults, RandomDeathsLoseNoFuture) {
  // Workers may die as fast as they are started.
  pools::AnyPool pool(
      GetParam(),
      {.workers = 2, .restart = {.idle_deaths_max = std::numeric_limits<std::size_t>::max()}});
  std::atomic<int> answered{0};
  std::atomic<int> died{0};
  std::atomic<int> finished{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      const std::string text(100'000, 'x');  // many pieces each way: deaths cut messages in half
      for (int i = 0; i < 30; ++i) {
        auto one = pool.submit([](std::string all) { return all; }, text);
        auto two = pool.submit([](std::string all) { return all; }, text);
        for (auto* future : {&one, &two}) {
          try {
            answered += future->get() == text;
          } catch (const pools::WorkerDied&) {
            ++died;
          }
        }
      }
      ++finished;
    });
  }
  std::mt19937 random(7);
  for (int kills = 0; kills < 150 && finished < 3; ++kills) {
    for (const pid_t zygote : zygotes_of(::getpid())) {
      const auto workers = children_of(zygote);
      if (!workers.empty()) ::kill(workers[random() % workers.size()], SIGKILL);
    }
    ::usleep(static_cast<useconds_t>(random() % 10'000));
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(answered + died, 180);
  EXPECT_GT(answered, 0);
}

std::ptrdiff_t entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

TEST_P(ProcessPoolFaults, PoolsLeaveNothingBehind) {
  const auto one = [] {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    EXPECT_GT(pool.submit(whoami).get(), 0);
    auto died = pool.submit([] { ::_exit(1); });
    EXPECT_THROW(died.get(), pools::WorkerDied);
  };
  one();
  const auto descriptors = entries("/proc/self/fd");
  const auto threads = pools::program_threads();
  for (int i = 0; i < 50; ++i) one();
  EXPECT_EQ(entries("/proc/self/fd"), descriptors);
  EXPECT_EQ(pools::program_threads(), threads);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  EXPECT_EQ(errno, ECHILD);
}

class ProcessPool : public pool_test::Guarded {};

using OnePool = pools::ProcessPool<ipc::Pipe>;

TEST_F(ProcessPool, IsMadeBeforeThreads) {
  std::atomic<bool> done{false};
  std::thread other([&] { pool_test::await([&] { return done.load(); }); });
  EXPECT_THROW(OnePool({.workers = 1}), std::logic_error);
  {
    OnePool allowed({.workers = 1, .fork_with_threads = true});
    EXPECT_GT(allowed.submit(whoami).get(), 0);
  }
  done = true;
  other.join();
  OnePool after({.workers = 1});
  EXPECT_GT(after.submit(whoami).get(), 0);
}

TEST_F(ProcessPool, CountsNoThreadThatWasJoined) {
  for (int i = 0; i < 2000; ++i) {  // the kernel lists it for a moment longer
    std::thread([] {}).join();
    ASSERT_EQ(pools::program_threads(), 1U);
  }
}

TEST_F(ProcessPool, RefusesPiecesThatItsChannelDoesNotCarry) {
  EXPECT_THROW(OnePool({.workers = 1, .message_bytes = 1}), std::invalid_argument);
  EXPECT_THROW(OnePool({.workers = 1, .message_bytes = std::size_t{2} << 30}),
               std::invalid_argument);
}

TEST_F(ProcessPool, CutsWhatIsLonger) {
  OnePool pool({.workers = 1, .message_bytes = 64});
  const std::string text(10'000, 'x');
  EXPECT_EQ(pool.submit([](std::string all) { return all; }, text).get(), text);
}

}  // namespace
