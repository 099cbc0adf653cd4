// What does a task cost, and what does one more worker bring? The same map over every pool: tasks
// that do nothing, that compute, and that wait.
//
// chunk:1 makes every item a task of its own, which shows the pool; chunk:auto is what a caller
// gets who says nothing.
#include <time.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/other_pools.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

// A task gets a number and returns one; expected() says which, without doing all the work again.

struct Empty {
  static constexpr std::string_view name = "empty";
  std::uint64_t operator()(std::uint64_t number) const { return number; }
  static std::uint64_t expected(std::uint64_t number) { return number; }
};

// About 20 us of arithmetic that depends on itself: so many steps of xorshift64 as that takes here.
// python_pools does as many as that takes there.
struct Xorshift {
  static constexpr std::string_view name = "xorshift_20us";
  static constexpr int steps = 12'000;
  std::uint64_t operator()(std::uint64_t number) const { return compute(number % kinds); }
  static std::uint64_t expected(std::uint64_t number) {
    static const auto known = [] {
      std::array<std::uint64_t, kinds> all{};
      for (std::uint64_t kind = 0; kind < kinds; ++kind) all[kind] = compute(kind);
      return all;
    }();
    return known[number % kinds];
  }

 private:
  static constexpr std::uint64_t kinds = 16;
  static std::uint64_t compute(std::uint64_t kind) {
    std::uint64_t state = kind + 1;
    for (int step = 0; step < steps; ++step) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
    }
    return state;
  }
};

// Waits as for a disk or a network, and uses no CPU.
struct Sleep {
  static constexpr std::string_view name = "sleep_1ms";
  std::uint64_t operator()(std::uint64_t number) const {
    timespec left{.tv_sec = 0, .tv_nsec = 1'000'000};
    while (::nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
    return number;
  }
  static std::uint64_t expected(std::uint64_t number) { return number; }
};

using Tasks = ipc::TypeList<Empty, Xorshift, Sleep>;
using Numbers = std::vector<std::uint64_t>;

// Throws unless the results are those of the first tasks, in their order.
void check_results(const Numbers& results, const Numbers& numbers,
                   std::uint64_t (*expected)(std::uint64_t)) {
  if (results.size() != numbers.size()) {
    throw std::runtime_error(std::to_string(results.size()) + " results of " +
                             std::to_string(numbers.size()) + " tasks");
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] != expected(numbers[i])) {
      throw std::runtime_error("task " + std::to_string(i) + " has a wrong result");
    }
  }
}

// Rounds of map(numbers), which returns the results.
template <class Task, class Map>
Measured measure_map(const Suite& suite, std::size_t workers, Map&& map) {
  Numbers numbers;
  Numbers results;
  Measured measured = measure_rounds(
      suite.settings(), static_cast<std::int64_t>(workers),
      [&](std::int64_t count) {
        const std::size_t tasks = static_cast<std::size_t>(count) * workers;
        if (numbers.size() != tasks) {  // the same for every round that counts
          numbers.resize(tasks);
          std::iota(numbers.begin(), numbers.end(), std::uint64_t{0});
        }
        results = map(numbers);
      },
      [&] { check_results(results, numbers, Task::expected); });
  const double tasks_per_second = static_cast<double>(measured.operations) / measured.seconds;
  measured.counters["tasks_per_second"] = tasks_per_second;
  if constexpr (std::is_same_v<Task, Xorshift>) {
    measured.counters["steps_per_second"] = tasks_per_second * Xorshift::steps;
  }
  return measured;
}

template <class Task>
Measured pool_map(const Suite& suite, const pools::PoolKind& kind, const PoolPoint& point) {
  pools::AnyPool pool(kind, {.workers = point.workers});
  const std::size_t chunk = point.chunk == "1" ? 1 : pools::automatic_chunk;
  return measure_map<Task>(suite, point.workers, [&](const Numbers& numbers) {
    return pool.map(Task{}, numbers, chunk);
  });
}

template <class Task>
Measured other_pool_map(const Suite& suite, const OtherPoolKind& kind, const PoolPoint& point) {
  const auto pool = kind.make(point.workers);
  return measure_map<Task>(suite, point.workers, [&](const Numbers& numbers) {
    Numbers results(numbers.size());
    pool->map(Task{}, numbers, results);
    return results;
  });
}

RowName row_name(const PoolPoint& point) {
  return RowName("pool_map")
      .with("pool", point.pool)
      .with("task", point.task)
      .with("chunk", point.chunk)
      .with("workers", point.workers);
}

void add_rows(Suite& suite) {
  const Size size = suite.settings().size;
  for (const pools::PoolKind& kind : pools::all_pools()) {
    Tasks::for_each([&]<class Task>() {
      for (const std::string_view chunk : pool_chunks) {
        for (const std::size_t workers : pool_worker_counts) {
          const PoolPoint point{kind.name, Task::name, chunk, workers};
          if (!takes_part(size, point)) continue;
          suite.add(row_name(point), [&suite, kind, chunk, workers] {
            return pool_map<Task>(suite, kind, {kind.name, Task::name, chunk, workers});
          });
        }
      }
    });
  }
  // After the process pools: these may keep their threads, and a process with threads has no forks.
  for (const OtherPoolKind& kind : {boost_asio_thread_pool(), onetbb_task_arena()}) {
    if (kind.make == nullptr) continue;
    Tasks::for_each([&]<class Task>() {
      for (const std::size_t workers : pool_worker_counts) {
        const PoolPoint point{kind.name, Task::name, "1", workers};
        suite.add(row_name(point),
                  [&suite, kind, point] { return other_pool_map<Task>(suite, kind, point); });
      }
    });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
