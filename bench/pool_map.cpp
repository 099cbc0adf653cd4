// What does a task cost, and what does one more worker bring? The same map over every pool: tasks
// that do nothing, that compute, and that wait.
//
// Every item is a task of its own: chunks would hide the pool.
#include <time.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

constexpr std::size_t chunk = 1;

// A task gets a number and returns one; expected() says which, without doing all the work again.

struct Empty {
  static constexpr std::string_view name = "empty";
  std::uint64_t operator()(std::uint64_t number) const { return number; }
  static std::uint64_t expected(std::uint64_t number) { return number; }
};

// About 20 us of arithmetic that depends on itself.
struct Cpu {
  static constexpr std::string_view name = "cpu";
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
    for (int step = 0; step < 12'000; ++step) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
    }
    return state;
  }
};

// Waits as for a disk or a network, and uses no CPU.
struct Sleep {
  static constexpr std::string_view name = "sleep";
  std::uint64_t operator()(std::uint64_t number) const {
    timespec left{.tv_sec = 0, .tv_nsec = 1'000'000};
    while (::nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
    return number;
  }
  static std::uint64_t expected(std::uint64_t number) { return number; }
};

// Throws unless the results are those of the first tasks, in their order.
void check_results(const std::vector<std::uint64_t>& results,
                   const std::vector<std::uint64_t>& numbers,
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

template <class Task>
Measured pool_map(const Suite& suite, const pools::PoolKind& kind, std::size_t workers) {
  pools::AnyPool pool(kind, {.workers = workers});
  std::vector<std::uint64_t> numbers;
  std::vector<std::uint64_t> results;
  Measured measured = measure_rounds(
      suite.settings(), static_cast<std::int64_t>(workers),
      [&](std::int64_t count) {
        numbers.resize(static_cast<std::size_t>(count) * workers);
        std::iota(numbers.begin(), numbers.end(), std::uint64_t{0});
        results = pool.map(Task{}, numbers, chunk);
      },
      [&] { check_results(results, numbers, Task::expected); });
  measured.counters["tasks_per_second"] =
      static_cast<double>(measured.operations) / measured.seconds;
  return measured;
}

void add_rows(Suite& suite) {
  for (const pools::PoolKind& kind : pools::all_pools()) {
    ipc::TypeList<Empty, Cpu, Sleep>::for_each([&]<class Task>() {
      for (const std::size_t workers : worker_counts) {
        if (!takes_part(suite.settings().size, workers)) continue;
        suite.add(RowName("pool_map")
                      .with("pool", kind.name)
                      .with("task", Task::name)
                      .with("workers", workers),
                  [&suite, kind, workers] { return pool_map<Task>(suite, kind, workers); });
      }
    });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
