// How worker processes come to be: each way of starting them, and what holds for all.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "ipc/channels/pipe.hpp"
#include "ipc/channels/unix_stream.hpp"
#include "ipc/process.hpp"
#include "pools/nesting.hpp"
#include "pools/zygote.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using pool_test::await;
using pool_test::await_end;
using pool_test::children_of;
using pool_test::pause_ms;
using pool_test::pidfd_of;
using pool_test::SharedMemory;
using pools::StartMethod;
using testing::AllOf;
using testing::HasSubstr;
using testing::Throws;
using testing::ThrowsMessage;

using Pool = pools::ProcessPool<ipc::Pipe>;

// Made by main(), when this process was small.
const pools::Zygote* early_zygote = nullptr;

enum class Way { own_zygote, early_zygote, fork, spawn };
constexpr std::array ways{Way::own_zygote, Way::early_zygote, Way::fork, Way::spawn};

std::string_view to_text(Way way) {
  constexpr std::array<std::string_view, ways.size()> texts{"own_zygote", "early_zygote", "fork",
                                                            "spawn"};
  return texts[static_cast<std::size_t>(way)];
}

pools::Options started(Way way, std::size_t workers, const pools::Zygote* zygote = early_zygote) {
  pools::Options options{.workers = workers};
  if (way == Way::fork) options.start = StartMethod::fork;
  if (way == Way::spawn) options.start = StartMethod::spawn;
  if (way == Way::early_zygote) options.zygote = zygote;
  return options;
}

pid_t whoami() {
  return ::getpid();
}
pid_t zygote_of_worker() {
  return ::getppid();
}
int twice(int x) {
  return 2 * x;
}
int call(int (*function)(int), int x) {
  return function(x);
}
int fail(int) {
  throw std::domain_error("thrown on purpose");
}
[[noreturn]] void stay_busy() {
  for (;;) ::pause();
}

std::ptrdiff_t entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}
std::ptrdiff_t descriptors() {
  return entries("/proc/self/fd");
}

struct Case {
  pools::PoolKind kind;
  Way way;
};
void PrintTo(const Case& one, std::ostream* out) {  // NOLINT: GoogleTest's name
  *out << one.kind.name << ' ' << to_text(one.way);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& kind : pools::all_pools()) {
    for (const Way way : ways) {
      if (kind.processes()) all.push_back({kind, way});
    }
  }
  return all;
}

class EveryChannel : public pool_test::GuardedTest<testing::TestWithParam<Case>> {};

INSTANTIATE_TEST_SUITE_P(Start, EveryChannel, testing::ValuesIn(cases()), [](const auto& info) {
  return pool_test::name_of({info.param.kind, 0}) + '_' + std::string(to_text(info.param.way));
});

TEST_P(EveryChannel, RunsTasksAndReplacesWorkers) {
  pools::AnyPool pool(GetParam().kind, started(GetParam().way, 2));
  EXPECT_EQ(pool.map(twice, std::vector{1, 2, 3}), (std::vector{2, 4, 6}));
  const std::string text(100'000, 'x');
  EXPECT_EQ(pool.submit([](std::string all) { return all + 'y'; }, text).get(), text + 'y');
  EXPECT_EQ(pool.submit(call, twice, 21).get(), 42);
  EXPECT_NO_THROW(pool.for_each(twice, std::vector{1, 2, 3}));
  EXPECT_THROW(pool.submit(fail, 1).get(), std::domain_error);
  try {
    pool.submit([] { ::_exit(3); }).get();
    FAIL() << "it did not die";
  } catch (const pools::WorkerDied& died) {
    EXPECT_EQ(died.status.code, 3);
    EXPECT_GT(died.pid, 0);
  }
  EXPECT_EQ(pool.map(twice, std::vector{1, 2, 3}), (std::vector{2, 4, 6}));
}

class Start : public pool_test::Guarded {};
class StartMethods : public pool_test::GuardedTest<testing::TestWithParam<Way>> {};

INSTANTIATE_TEST_SUITE_P(Every, StartMethods, testing::ValuesIn(ways),
                         [](const auto& info) { return std::string(to_text(info.param)); });

// --- Threads ---

// One that is there for as long as this is.
class OtherThread {
 public:
  OtherThread() : thread_([this] { await([&] { return done_.load(); }); }) {}
  ~OtherThread() {
    done_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

TEST_P(StartMethods, InAProcessThatHasThreads) {
  const OtherThread other;
  const auto make = [&] { return Pool(started(GetParam(), 1)).submit(twice, 4).get(); };
  if (GetParam() == Way::early_zygote || GetParam() == Way::spawn) {
    EXPECT_EQ(make(), 8);
  } else {
    EXPECT_THAT(make, ThrowsMessage<std::logic_error>(
                          AllOf(HasSubstr("this one has 2"), HasSubstr("Options::zygote"))));
  }
}

TEST_F(Start, PoolsAreMadeInManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, way = t % 2 == 0 ? Way::early_zygote : Way::spawn] {
      for (int i = 0; i < 10; ++i) right += Pool(started(way, 2)).submit(twice, i).get() == 2 * i;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

// --- One zygote, several pools ---

TEST_F(Start, OneZygoteServesManyPools) {
  pools::ProcessPool<ipc::UnixStream> first(started(Way::early_zygote, 2));
  Pool second(started(Way::early_zygote, 2));
  EXPECT_EQ(first.submit(zygote_of_worker).get(), early_zygote->pid());
  EXPECT_EQ(second.submit(zygote_of_worker).get(), early_zygote->pid());
  const auto busy = first.submit(stay_busy);
  EXPECT_EQ(children_of(early_zygote->pid()).size(), 4U);
  first.terminate();
  EXPECT_EQ(children_of(early_zygote->pid()).size(), 2U);
  EXPECT_EQ(second.submit(twice, 21).get(), 42);
  second.close();
  second.join();
  EXPECT_TRUE(children_of(early_zygote->pid()).empty());
}

TEST_F(Start, AWorkerHasNothingOfOtherPools) {
  Pool first(started(Way::early_zygote, 1));
  Pool second(started(Way::early_zygote, 1));
  EXPECT_EQ(first.submit(descriptors).get(), second.submit(descriptors).get());
}

TEST_F(Start, PoolsAreBrokenWithTheirZygote) {
  pools::Zygote zygote;
  Pool first(started(Way::early_zygote, 1, &zygote));
  Pool second(started(Way::early_zygote, 1, &zygote));
  auto busy = first.submit(stay_busy);
  const auto worker = pidfd_of(second.submit(whoami).get());
  ::kill(zygote.pid(), SIGKILL);
  EXPECT_THAT([&] { busy.get(); }, ThrowsMessage<pools::PoolBroken>(HasSubstr("SIGKILL")));
  await_end(worker);
  EXPECT_THROW(second.submit(twice, 1).get(), pools::PoolBroken);
  EXPECT_THROW(Pool(started(Way::early_zygote, 1, &zygote)), pools::PoolBroken);
}

TEST_F(Start, PoolsAreBrokenWhenTheirZygoteIsDestroyed) {
  std::optional<pools::Zygote> zygote(std::in_place);
  Pool pool(started(Way::early_zygote, 1, &*zygote));
  auto busy = pool.submit(stay_busy);
  zygote.reset();
  EXPECT_THAT([&] { busy.get(); },
              ThrowsMessage<pools::PoolBroken>(HasSubstr("destroyed before the pool")));
}

// --- Ends ---

TEST_P(StartMethods, NobodyOutlivesThePoolsProcess) {
  for (const bool busy : {false, true}) {
    const SharedMemory shared;
    ipc::Process owner([&] {
      const pools::Zygote zygote;
      Pool pool(started(GetParam(), 2, &zygote));
      auto first = pool.submit(stay_busy);
      if (!busy) first = {};
      auto task = pool.submit(zygote_of_worker);
      if (busy) await([&] { return first.state() == pools::Phase::running; });
      shared->pid = task.get();
      for (;;) ::pause();
      return 0;
    });
    await([&] { return shared->pid != 0; });
    std::vector<ipc::Fd> watched;
    watched.push_back(pidfd_of(shared->pid));
    for (const pid_t worker : children_of(shared->pid)) watched.push_back(pidfd_of(worker));
    ASSERT_EQ(watched.size(), 3U);
    owner.kill(SIGKILL);
    for (const auto& each : watched) await_end(each);
  }
}

TEST_P(StartMethods, PoolsLeaveNothingBehind) {
  const auto one = [] { EXPECT_EQ(Pool(started(GetParam(), 2)).submit(twice, 4).get(), 8); };
  one();
  const auto before = std::pair(descriptors(), children_of(::getpid()));
  for (int i = 0; i < 30; ++i) one();
  EXPECT_EQ(std::pair(descriptors(), children_of(::getpid())), before);
  EXPECT_TRUE(children_of(early_zygote->pid()).empty());
}

// --- What workers inherit ---

int changed = 0;

TEST_P(StartMethods, WhatWorkersInherit) {
  changed = 42;
  const ipc::Fd open(::open("/dev/null", O_RDONLY));  // stays open in what is started anew
  const int number = ::fcntl(open.get(), F_DUPFD, 200);
  const ipc::Fd high(number);
  Pool pool(started(GetParam(), 1));
  const bool inherits = GetParam() == Way::fork || GetParam() == Way::own_zygote;
  EXPECT_EQ(pool.submit([] { return changed; }).get(), inherits ? 42 : 0);
  EXPECT_EQ(pool.submit([](int fd) { return ::fcntl(fd, F_GETFD); }, number).get(),
            inherits ? 0 : -1);
  changed = 0;
}

// --- Pools inside of pools ---

// How many pools deep it came, and what stopped it.
std::pair<std::size_t, std::string> nest(Way way) {
  try {
    return Pool(started(way, 1)).submit(nest, way).get();
  } catch (const std::logic_error& refused) {
    return {pools::nesting_depth, refused.what()};
  }
}

TEST_P(StartMethods, PoolsNestToALimit) {
  if (GetParam() == Way::early_zygote) GTEST_SKIP() << "it belongs to this process alone";
  const auto [depth, why] = nest(GetParam());
  EXPECT_EQ(depth, pools::nesting_max);
  EXPECT_THAT(why, HasSubstr("inside 10 pools"));
}

TEST_F(Start, AWorkerEndsWithThePoolsThatItHas) {
  const SharedMemory shared;
  auto outer = std::make_optional<Pool>(started(Way::own_zygote, 1));
  auto task = outer->submit([to = shared.get()] {
    Pool inner(started(Way::own_zygote, 1));
    to->pid = inner.submit(whoami).get();
    stay_busy();
  });
  await([&] { return shared->pid != 0; });
  const auto innermost = pidfd_of(shared->pid);
  outer->terminate();
  await_end(innermost);
}

// --- The wrong process ---

TEST_P(StartMethods, ACopyInAForkedChildIsRefused) {
  Pool pool(started(GetParam(), 1));
  auto busy = pool.submit(stay_busy);
  ipc::Process child([&] {
    EXPECT_THROW(pool.submit(twice, 1), pools::WrongProcess);
    EXPECT_THROW(pool.close(), pools::WrongProcess);
    EXPECT_THROW(pool.join(), pools::WrongProcess);
    EXPECT_THROW(pool.terminate(), pools::WrongProcess);
    EXPECT_THROW(busy.get(), pools::WrongProcess);
    std::destroy_at(&pool);
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(child.join()->success());
  pool.terminate();
  EXPECT_THROW(busy.get(), pools::PoolTerminated);
}

TEST_F(Start, AWorkerHasNoUseOfItsOwnPoolOrZygote) {
  Pool* pool = nullptr;
  const auto use_pool = [&pool] { return pool->submit(twice, 1).get(); };
  Pool made(started(Way::own_zygote, 1));
  pool = &made;
  ipc::Process child([&] {
    EXPECT_THROW(use_pool(), pools::WrongProcess);
    EXPECT_THROW(Pool(started(Way::early_zygote, 1)), pools::WrongProcess);
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(child.join()->success());
}

// --- What cannot be made ---

// Limits that are too low for the pool at each step of its making, until it can be made.
template <class SetLimit, class Left>
void expect_all_or_nothing(Way way, const pools::Zygote* zygote, rlim_t first_limit,
                           SetLimit&& set_limit, Left&& left) {
  int refused = 0;
  for (rlim_t limit = first_limit;; ++limit) {
    ASSERT_LT(limit, 500U) << "never made";
    const auto before = left();
    set_limit(limit);
    try {
      EXPECT_EQ(Pool(started(way, 5, zygote)).submit(twice, 4).get(), 8);
      break;
    } catch (const std::system_error&) {
      ++refused;
    } catch (const pools::PoolBroken&) {
      ++refused;
    }
    ASSERT_EQ(left(), before) << "with a limit of " << limit;
  }
  EXPECT_GT(refused, 5);
}

TEST_P(StartMethods, WithTooFewDescriptorsNothingIsLeft) {
  ipc::Process child([] {
    const pools::Zygote zygote;
    rlimit most{};
    ::getrlimit(RLIMIT_NOFILE, &most);
    const auto set = [&](rlim_t files) {
      const rlimit lowered{.rlim_cur = files, .rlim_max = most.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &lowered);
    };
    expect_all_or_nothing(GetParam(), &zygote, 0, set, [&] {
      set(most.rlim_max);
      return std::tuple(descriptors(), children_of(::getpid()), children_of(zygote.pid()));
    });
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(child.join()->success());
}

TEST_F(Start, WithTooFewDescriptorsInTheZygoteNothingIsLeft) {
  const pools::Zygote zygote;
  Pool(started(Way::early_zygote, 1, &zygote));  // it has come up
  rlimit most{};
  ::getrlimit(RLIMIT_NOFILE, &most);
  const auto set = [&](rlim_t files) {
    const rlimit lowered{.rlim_cur = files, .rlim_max = most.rlim_max};
    ::prlimit(zygote.pid(), RLIMIT_NOFILE, &lowered, nullptr);
  };
  const auto open = entries(("/proc/" + std::to_string(zygote.pid()) + "/fd").c_str());
  expect_all_or_nothing(Way::early_zygote, &zygote, static_cast<rlim_t>(open), set,
                        [&] { return std::pair(descriptors(), children_of(zygote.pid())); });
}

TEST_F(Start, WithTooFewProcessesNothingIsLeft) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs a user of its own, whose processes it can count";
  constexpr uid_t nobody_else = 54'321;
  ipc::Process child([] {
    if (::setresuid(nobody_else, nobody_else, nobody_else) != 0) return 1;
    rlimit most{};
    ::getrlimit(RLIMIT_NPROC, &most);
    const auto set = [&](rlim_t processes) {
      const rlimit lowered{.rlim_cur = processes, .rlim_max = most.rlim_max};
      ::setrlimit(RLIMIT_NPROC, &lowered);
    };
    expect_all_or_nothing(Way::own_zygote, nullptr, 0, set,
                          [] { return std::pair(descriptors(), children_of(::getpid())); });
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(child.join()->success());
}

}  // namespace

int main(int argc, char** argv) {
  pools::serve_if_spawned(argc, argv);
  const pools::Zygote zygote;
  early_zygote = &zygote;
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
