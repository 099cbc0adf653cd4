// What goes into tasks and comes out of them, of any size, over every pool.
#include <limits.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/pool_fixture.hpp"

namespace {

using pool_test::children_of;
using pool_test::zygotes_of;

using PoolData = pool_test::OverPools;
using ProcessPoolData = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolData, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

std::vector<pools::PoolKind> process_pools() {
  auto kinds = pools::all_pools();
  std::erase_if(kinds, [](const pools::PoolKind& kind) { return !kind.processes(); });
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Every, ProcessPoolData, testing::ValuesIn(process_pools()),
                         pool_test::name_of);

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t cut = 0;  // Options::shared_memory_bytes: all goes through the channel

// Bytes that show when some are lost, doubled or moved.
std::string pattern(std::size_t bytes, unsigned seed = 1) {
  std::string all(bytes, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& each : all) {
    state = state * 1664525U + 1013904223U;
    each = static_cast<char>(state >> 24);
  }
  return all;
}

std::string echo(std::string all) {
  return all;
}

TEST_P(PoolData, PayloadsOfEverySizeComeBack) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{PIPE_BUF - 64}, std::size_t{PIPE_BUF},
        std::size_t{65535}, std::size_t{65536}, std::size_t{65537}, mib, 16 * mib}) {
    const std::string sent = pattern(bytes);
    EXPECT_TRUE(pool.submit(echo, sent).get() == sent) << bytes << " bytes";
  }
}

TEST_P(ProcessPoolData, PayloadsComeBackThroughTheChannelAlone) {
  pools::AnyPool pool(GetParam(), {.workers = 1, .shared_memory_bytes = cut});
  for (const std::size_t bytes : {std::size_t{PIPE_BUF}, std::size_t{65537}, mib}) {
    const std::string sent = pattern(bytes);
    EXPECT_TRUE(pool.submit(echo, sent).get() == sent) << bytes << " bytes";
  }
}

TEST_P(PoolData, MoreThanTwoGibibytesComeBack) {
  if (std::getenv("IPC_COMPARE_TEST_HUGE") == nullptr) {
    GTEST_SKIP() << "takes 10 GiB of memory: set IPC_COMPARE_TEST_HUGE to run it";
  }
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const std::string sent(2048 * mib + 5, 'x');
  EXPECT_TRUE(pool.submit(echo, sent).get() == sent);
}

struct Wide {
  double value;
  char flag;
  friend bool operator==(const Wide&, const Wide&) = default;
};

TEST_P(PoolData, LongValuesOfEveryAlignmentStandTogether) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  using Words = std::vector<std::string>;
  const Words words(2000, "a word of some length");
  const std::vector<Wide> wide(3000, Wide{0.5, 'f'});
  const auto weigh = [](char odd, const std::string& text, std::vector<Wide> many, Words all) {
    for (const std::string& word : all) many.front().value += static_cast<double>(word.size());
    many.push_back({.value = static_cast<double>(text.size()), .flag = odd});
    return many;
  };
  for (std::size_t length = 0; length < 9; ++length) {
    const auto many = pool.submit(weigh, '!', std::string(length, 't'), wide, words).get();
    ASSERT_EQ(many.size(), wide.size() + 1);
    EXPECT_EQ(many.front().value, 0.5 + 2000 * 21);
    EXPECT_TRUE(std::equal(wide.begin() + 1, wide.end(), many.begin() + 1));
    EXPECT_EQ(many.back(), (Wide{static_cast<double>(length), '!'}));
  }
}

TEST_P(PoolData, ManyCallersSendMuchAtATime) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&pool, &right, caller] {
      std::vector<pools::Future<std::string>> futures;
      std::vector<std::string> sent;
      for (unsigned i = 0; i < 12; ++i) {
        sent.push_back(pattern((i % 4) * 50'000 + caller, i));
        futures.push_back(pool.submit(echo, sent.back()));
      }
      for (std::size_t i = 0; i < sent.size(); ++i) right += futures[i].get() == sent[i];
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(right, 36);
}

TEST_P(PoolData, AnswersOutliveThePool) {
  std::vector<pools::Future<std::string>> futures;
  {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    for (unsigned i = 0; i < 8; ++i) futures.push_back(pool.submit(echo, pattern(100'000, i)));
  }
  for (unsigned i = 0; i < 8; ++i) EXPECT_TRUE(futures[i].get() == pattern(100'000, i));
}

TEST_P(ProcessPoolData, AnAnswerOutlivesItsWorker) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto answer = pool.submit(echo, pattern(mib));
  answer.wait();
  auto death = pool.submit([] { ::_exit(0); });
  EXPECT_THROW(death.get(), pools::WorkerDied);
  for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(pool.submit(echo, pattern(mib, i)).get() != "");
  EXPECT_TRUE(answer.get() == pattern(mib));
}

// What a worker has half written when it is killed is never read, and its successor reads what was
// sent to it.
void kill_while_much_is_sent(const pools::PoolKind& kind, std::size_t shared_memory_bytes) {
  if (!kind.channel->traits.waiter_may_be_killed) {
    GTEST_SKIP() << "a worker that waits in this channel may not be killed";
  }
  pools::AnyPool pool(kind,
                      {.workers = 2,
                       .restart = {.idle_deaths_max = std::numeric_limits<std::size_t>::max()},
                       .shared_memory_bytes = shared_memory_bytes});
  std::atomic<bool> finished{false};
  std::thread killer([&] {
    std::mt19937 random(11);
    for (int kills = 0; kills < 60 && !finished; ++kills) {
      ::usleep(static_cast<useconds_t>(random() % 8'000));
      for (const pid_t zygote : zygotes_of(::getpid())) {
        const auto workers = children_of(zygote);
        if (!workers.empty()) ::kill(workers[random() % workers.size()], SIGKILL);
      }
    }
  });
  int right = 0;
  int died = 0;
  constexpr int rounds = 30;
  for (unsigned round = 0; round < rounds; ++round) {
    const std::string sent = pattern(200'000 + 1000 * round, round);
    auto one = pool.submit(echo, sent);
    auto two = pool.submit(echo, sent);
    for (auto* future : {&one, &two}) {
      try {
        right += future->get() == sent;
      } catch (const pools::WorkerDied&) {
        ++died;
      }
    }
  }
  finished = true;
  killer.join();
  EXPECT_EQ(right + died, 2 * rounds);
  EXPECT_GT(right, 0);
  EXPECT_TRUE(pool.submit(echo, pattern(mib)).get() == pattern(mib));
}

TEST_P(ProcessPoolData, KilledWorkersTearNothingInSharedMemory) {
  kill_while_much_is_sent(GetParam(), pools::Options{}.shared_memory_bytes);
}

TEST_P(ProcessPoolData, KilledWorkersTearNothingInTheChannel) {
  kill_while_much_is_sent(GetParam(), cut);
}

std::ptrdiff_t descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// Of memory that other processes may have too: the heap's come and go.
std::ptrdiff_t shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::ptrdiff_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:") != line.npos;
  return count;
}

TEST_P(ProcessPoolData, MemoryReturnsToWhereItWas) {
  const auto descriptors_before = descriptors();
  const auto mappings_before = shared_mappings();
  {
    pools::AnyPool pool(GetParam(), {.workers = 2});
    const auto use = [&] {
      std::vector<pools::Future<std::string>> futures;
      for (unsigned i = 0; i < 20; ++i) futures.push_back(pool.submit(echo, pattern(100'000, i)));
      for (unsigned i = 0; i < 20; ++i) EXPECT_TRUE(futures[i].get() == pattern(100'000, i));
    };
    use();
    const auto descriptors_used = descriptors();
    const auto mappings_used = shared_mappings();
    for (int i = 0; i < 10; ++i) use();
    EXPECT_EQ(descriptors(), descriptors_used);
    EXPECT_LE(shared_mappings(), mappings_used + 2)
        << "a worker's memory is mapped once, when used";
  }
  EXPECT_EQ(descriptors(), descriptors_before);
  EXPECT_EQ(shared_mappings(), mappings_before);
}

}  // namespace
