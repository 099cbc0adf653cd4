// A worker is killed while it runs a task: how soon does the caller know, who waits for the result?
//
//   caller  == task ===>  the only worker, killed at a random moment
//           <= WorkerDied
//
// peer_death asks the same of a channel alone.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <random>
#include <thread>

#include "bench/main.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

// A task still runs when its worker is killed, and would end if nobody killed it: then it had not
// begun, and the worker that took the killed one's place ran it.
constexpr std::chrono::milliseconds busy_time{200};
constexpr std::chrono::microseconds begun_after{500};

// As many rounds as a 99th percentile is worth something with; smoke only shows that it works.
std::int64_t rounds_of(Size size) {
  return size == Size::full ? 1000 : size == Size::quick ? 20 : 2;
}

std::uint64_t busy(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  std::uint64_t rounds = 0;
  while (Clock::now() < end) ++rounds;
  return rounds;
}

pid_t who_works() {
  return ::getpid();
}

// Kills the worker at work; how long until its task's future had thrown. Nothing when the task had
// not begun.
std::optional<double> kill_worker(pools::AnyPool& pool, std::chrono::microseconds moment) {
  const pid_t worker = pool.submit(who_works).get();
  auto future = pool.submit(busy, busy_time);
  std::this_thread::sleep_for(begun_after + moment);
  const auto killed_at = Clock::now();
  ::kill(worker, SIGKILL);
  try {
    future.get();
  } catch (const pools::WorkerDied& death) {
    const double after_ns = ns_between(killed_at, Clock::now());
    if (death.pid != worker || death.status.signal != SIGKILL) {
      throw std::runtime_error("another death is told than that of the killed worker");
    }
    return after_ns;
  }
  return std::nullopt;
}

Measured pool_death(const Suite& suite, const pools::PoolKind& kind) {
  std::mt19937 random(20250105);
  Measured measured;
  pools::AnyPool pool(kind, {.workers = 1});
  const std::int64_t rounds = rounds_of(suite.settings().size);
  double total_ns = 0;
  while (measured.operations < rounds) {
    const auto known = kill_worker(pool, std::chrono::microseconds(random() % 1000));
    if (!known) continue;
    measured.samples.add(*known);
    total_ns += *known;
    ++measured.operations;
  }
  measured.seconds = total_ns / 1e9;
  measured.label = "told";
  measured.counters = {{"rounds", static_cast<double>(measured.operations)},
                       {"known_ns_p50", measured.samples.percentile(0.5)},
                       {"known_ns_p99", measured.samples.percentile(0.99)},
                       {"known_ns_max", measured.samples.percentile(1)}};
  return measured;
}

void add_rows(Suite& suite) {
  for (const pools::PoolKind& kind : pools::all_pools()) {
    if (!kind.processes()) continue;
    suite.add(RowName("pool_death").with("pool", kind.name),
              [&suite, kind] { return pool_death(suite, kind); });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
