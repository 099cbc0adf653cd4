// Workers that are killed at random instants, again and again, while many threads submit: every
// future gets its one answer, and nothing is left.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pools/program_threads.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using pool_test::children_of;
using pool_test::SharedMemory;
using pool_test::zygotes_of;

// So many kills; the suite has time for a few.
int kills_wanted() {
  const char* wanted = std::getenv("IPC_COMPARE_POOL_KILLS");
  return wanted == nullptr ? 200 : std::atoi(wanted);
}

std::ptrdiff_t entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

// Of /proc/self/maps: one a mapping.
std::ptrdiff_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::ptrdiff_t lines = 0;
  for (std::string line; std::getline(maps, line);) ++lines;
  return lines;
}

class PoolStorm : public pool_test::GuardedTest<testing::TestWithParam<std::string>> {
 protected:
  void SetUp() override { ::alarm(kills_wanted() <= 1000 ? hang_s : 3600); }
};

INSTANTIATE_TEST_SUITE_P(Over, PoolStorm,
                         testing::Values("process_unix_stream", "process_spsc_ring<futex>",
                                         "process_mpmc_ring<adaptive>", "process_boost_queue"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& each : name) {
                             if (std::isalnum(static_cast<unsigned char>(each)) == 0) each = '_';
                           }
                           return name;
                         });

pools::PoolKind kind_of(const std::string& name) {
  for (const pools::PoolKind& kind : pools::all_pools()) {
    if (kind.name == name) return kind;
  }
  throw std::logic_error("there is no pool " + name);
}

struct Tally {
  std::atomic<std::uint64_t> submitted{0};
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> died{0};
};

// Short tasks and long ones, with arguments of every length.
void call_until(const std::atomic<bool>& over, pools::AnyPool& pool, Tally& tally, unsigned seed) {
  std::mt19937 random(seed);
  while (!over) {
    std::vector<std::pair<pools::Future<std::string>, std::string>> calls;
    for (int i = 0; i < 8; ++i) {
      const std::string text(random() % 3 == 0 ? random() % 100'000 : random() % 100, 'x');
      const auto nap_us = static_cast<useconds_t>(random() % 4 == 0 ? random() % 2000 : 0);
      auto future = pool.submit(
          [nap_us](std::string all) {
            if (nap_us > 0) ::usleep(nap_us);
            return all;
          },
          text);
      calls.emplace_back(std::move(future), text);
      ++tally.submitted;
    }
    for (auto& [future, text] : calls) {
      try {
        tally.answered += future.get() == text;
      } catch (const pools::WorkerDied&) {
        ++tally.died;
      }
    }
  }
}

TEST_P(PoolStorm, EveryFutureGetsOneAnswer) {
  const int kills = kills_wanted();
  Tally tally;
  std::ptrdiff_t descriptors = 0;
  std::ptrdiff_t maps = 0;
  {
    pools::AnyPool pool(
        kind_of(GetParam()),
        {.workers = 8, .restart = {.idle_deaths_max = std::numeric_limits<std::size_t>::max()}});
    EXPECT_EQ(pool.submit([](int x) { return x; }, 1).get(), 1);
    std::atomic<bool> over{false};
    std::vector<std::thread> callers;
    for (unsigned t = 0; t < 4; ++t) {
      callers.emplace_back([&, t] { call_until(over, pool, tally, t); });
    }
    std::mt19937 random(11);
    for (int killed = 0; killed < kills;) {
      for (const pid_t zygote : zygotes_of(::getpid())) {
        const auto workers = children_of(zygote);
        if (workers.empty()) continue;
        if (::kill(workers[random() % workers.size()], SIGKILL) == 0) ++killed;
      }
      ::usleep(static_cast<useconds_t>(random() % 2000));
      // What there is when it has settled is what there is at the end.
      if (killed == kills / 2) {
        descriptors = std::max(descriptors, entries("/proc/self/fd"));
        maps = std::max(maps, mappings());
      }
    }
    over = true;
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(tally.answered + tally.died, tally.submitted);
    EXPECT_GT(tally.answered, 0U);
    EXPECT_GT(tally.died, 0U);
    pool.submit([](int x) { return x; }, 1).get();
    EXPECT_LE(entries("/proc/self/fd"), descriptors + 16);
    EXPECT_LE(mappings(), maps + 64);
  }
  EXPECT_TRUE(children_of(::getpid()).empty());
  RecordProperty("answered", static_cast<int>(tally.answered));
  RecordProperty("died", static_cast<int>(tally.died));
}

}  // namespace
