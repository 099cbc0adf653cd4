// What does a worker keep in memory while it has nothing to do?
//
// Of a process what the kernel counts as its own: private pages, and of shared ones its share (PSS;
// proc_pid_smaps(5)). Of a thread what its process has more with it than without.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

constexpr std::size_t workers = 4;

struct Memory {
  double pss_bytes = 0;
  double private_bytes = 0;

  // Throws when the process is gone or the kernel does not say.
  static Memory of(pid_t process) {
    const std::string path = "/proc/" + std::to_string(process) + "/smaps_rollup";
    std::ifstream file(path);
    Memory memory;
    std::string line;
    while (std::getline(file, line)) {
      const auto kib = [&] { return 1024 * std::stod(line.substr(line.find(':') + 1)); };
      if (line.starts_with("Pss:")) memory.pss_bytes = kib();
      if (line.starts_with("Private_")) memory.private_bytes += kib();
    }
    if (memory.pss_bytes == 0) throw std::runtime_error(path + " does not tell the memory");
    return memory;
  }

  Memory& operator+=(const Memory& more) {
    pss_bytes += more.pss_bytes;
    private_bytes += more.private_bytes;
    return *this;
  }
  friend Memory operator-(const Memory& after, const Memory& before) {
    return {.pss_bytes = after.pss_bytes - before.pss_bytes,
            .private_bytes = after.private_bytes - before.private_bytes};
  }
};

pid_t who_works() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return ::gettid();
}

// Gives out tasks until each worker had one: processes or threads by their numbers.
std::set<pid_t> bring_up(pools::AnyPool& pool) {
  std::set<pid_t> seen;
  while (seen.size() < workers) {
    std::vector<pools::Future<pid_t>> answers;
    for (std::size_t i = 0; i < workers; ++i) answers.push_back(pool.submit(who_works));
    for (auto& answer : answers) seen.insert(answer.get());
  }
  return seen;
}

struct Idle {
  Memory all_workers;
  double seconds;  // until all were there
};

Idle idle_workers(const pools::PoolKind& kind) {
  const Memory before = Memory::of(::getpid());
  const auto start = Clock::now();
  pools::AnyPool pool(kind, {.workers = workers});
  const std::set<pid_t> all = bring_up(pool);
  Idle idle{.all_workers = {}, .seconds = ns_between(start, Clock::now()) / 1e9};
  if (kind.processes()) {
    for (const pid_t worker : all) idle.all_workers += Memory::of(worker);
  } else {
    idle.all_workers = Memory::of(::getpid()) - before;
  }
  return idle;
}

// In a process of its own, where no earlier thread has left a stack.
Idle idle_threads(const pools::PoolKind& kind) {
  const auto shared = ipc::Mapping::create(sizeof(Idle));
  ipc::Process process([&] {
    new (shared.data()) Idle(idle_workers(kind));
    return 0;
  });
  if (const auto ended = process.join(); !ended->success()) {
    throw std::runtime_error("the process with the pool " + ended->text());
  }
  return shared.as<Idle>();
}

Measured memory(const pools::PoolKind& kind) {
  const Idle idle = kind.processes() ? idle_workers(kind) : idle_threads(kind);
  Measured measured;
  measured.operations = workers;
  measured.seconds = idle.seconds;
  const auto each = [](double bytes) {  // a difference, and others share its pages: never below 0
    return std::max(0.0, bytes / workers);
  };
  measured.counters = {{"pss_bytes_per_worker", each(idle.all_workers.pss_bytes)},
                       {"private_bytes_per_worker", each(idle.all_workers.private_bytes)}};
  return measured;
}

void add_rows(Suite& suite) {
  for (const pools::PoolKind& kind : pools::all_pools()) {
    suite.add(RowName("memory").with("pool", kind.name).with("workers", workers),
              [kind] { return memory(kind); });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
