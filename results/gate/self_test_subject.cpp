// What the gate tests itself on: a Google Benchmark binary whose rows can be made slower by a known
// share, left out, or made to crash.
//
//   self-test-subject [--slower=SHARE] [--row=EXPRESSION] [--without=ROW] [--crash=ROW]
//   [--benchmark_...]
//
// Each pass of a slowed row spins for that share of what the work alone took, in the measured path.
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

namespace {

using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

// Waits until what was begun is done: a processor would do it beside what is planted, for nothing.
void finish_what_was_begun() {
#if defined(__x86_64__)
  __builtin_ia32_lfence();
#endif
}

// Does nothing for so many steps that depend on each other.
void spin(std::int64_t steps) {
  if (steps == 0) return;
  finish_what_was_begun();
  std::uint64_t value = 1;
  for (std::int64_t i = 0; i < steps; ++i) asm volatile("" : "+r"(value += value >> 3 | 1));
  finish_what_was_begun();
}

// Of the passes of some rounds the time of the median one.
template <class Pass>
double ns_per_pass(Pass&& pass, std::int64_t passes) {
  std::vector<double> ns;
  for (int round = 0; round < 15; ++round) {
    const auto start = Clock::now();
    for (std::int64_t i = 0; i < passes; ++i) pass();
    const std::chrono::duration<double, std::nano> taken = Clock::now() - start;
    ns.push_back(taken.count() / static_cast<double>(passes));
  }
  std::ranges::nth_element(ns, ns.begin() + 7);
  return ns[7];
}

// How many steps of spin() take this share of the work's time.
std::int64_t steps_for(double share, const Work& work) {
  if (share == 0) return 0;
  const auto passes =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(2e5 / ns_per_pass(work, 1)));
  constexpr std::int64_t steps = 1000;
  const double one_ns = ns_per_pass([] { spin(1); }, 1000);
  const double step_ns = (ns_per_pass([] { spin(steps); }, 20) - one_ns) / (steps - 1);
  const double wanted_ns = share * ns_per_pass(work, passes);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>((wanted_ns - one_ns) / step_ns));
}

void write_all(int fd, const void* from, std::size_t bytes) {
  if (::write(fd, from, bytes) != static_cast<ssize_t>(bytes)) std::abort();
}
void read_all(int fd, void* to, std::size_t bytes) {
  if (::read(fd, to, bytes) != static_cast<ssize_t>(bytes)) std::abort();
}

// A child on the same CPU that sends back every byte; it ends when its pipe does.
class Echo {
 public:
  Echo() {
    if (::pipe(there_) == -1 || ::pipe(back_) == -1) std::abort();
    stay_on_this_cpu();
    child_ = ::fork();
    if (child_ == -1) std::abort();
    if (child_ == 0) {
      ::close(there_[1]);
      for (char byte = 0; ::read(there_[0], &byte, 1) == 1;) write_all(back_[1], &byte, 1);
      ::_exit(0);
    }
    ::close(there_[0]);
    ::close(back_[1]);
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;
  ~Echo() {
    ::close(there_[1]);
    ::close(back_[0]);
    ::waitpid(child_, nullptr, 0);
    ::sched_setaffinity(0, sizeof cpus_, &cpus_);
  }

  void round_trip() {
    char byte = 1;
    write_all(there_[1], &byte, 1);
    read_all(back_[0], &byte, 1);
  }

 private:
  void stay_on_this_cpu() {
    ::sched_getaffinity(0, sizeof cpus_, &cpus_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }

  int there_[2];
  int back_[2];
  pid_t child_;
  cpu_set_t cpus_;
};

// A pipe to oneself.
class Loop {
 public:
  Loop() {
    if (::pipe(ends_) == -1) std::abort();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    for (const int end : ends_) ::close(end);
  }
  void pass() {
    char message[64] = {};
    write_all(ends_[1], message, sizeof message);
    read_all(ends_[0], message, sizeof message);
  }

 private:
  int ends_[2];
};

struct Options {
  double slower = 0;
  std::string row;
  std::string without;
  std::string crash;
};

// Runs the work with the owner of what it needs.
struct Row {
  std::string name;
  std::function<void(const std::function<void(const Work&)>& measure)> with_work;
};

std::vector<Row> rows() {
  return {
      {"self_test/work:spin", [](const auto& measure) { measure([] { spin(1000); }); }},
      {"self_test/work:system_call",
       [](const auto& measure) { measure([] { ::syscall(SYS_getppid); }); }},
      {"self_test/work:memcpy",
       [](const auto& measure) {
         std::vector<char> from(1 << 16, 'a');
         std::vector<char> to(from.size());
         measure([&] {
           std::memcpy(to.data(), from.data(), from.size());
           benchmark::ClobberMemory();
         });
       }},
      {"self_test/work:sort",
       [](const auto& measure) {
         std::vector<int> unsorted(1000);
         for (std::size_t i = 0; i < unsorted.size(); ++i)
           unsorted[i] = static_cast<int>(i * 7919 % unsorted.size());
         measure([&] {
           std::vector<int> numbers = unsorted;
           std::ranges::sort(numbers);
           benchmark::DoNotOptimize(numbers.data());
         });
       }},
      {"self_test/work:pipe",
       [](const auto& measure) {
         Loop loop;
         measure([&] { loop.pass(); });
       }},
      {"self_test/work:process_round_trip",
       [](const auto& measure) {
         Echo echo;
         measure([&] { echo.round_trip(); });
       }},
  };
}

void measure(benchmark::State& state, const Row& row, const Options& options) {
  if (row.name == options.crash) std::raise(SIGSEGV);
  const bool slowed = std::regex_search(row.name, std::regex(options.row));
  row.with_work([&](const Work& work) {
    const std::int64_t steps = slowed ? steps_for(options.slower, work) : 0;
    for (auto pass : state) {
      (void)pass;
      work();
      spin(steps);
    }
  });
}

std::optional<std::string_view> value_of(std::string_view argument, std::string_view flag) {
  if (!argument.starts_with(flag)) return std::nullopt;
  return argument.substr(flag.size());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::vector<char*> others;
  for (int i = 0; i < argc; ++i) {
    if (const auto share = value_of(argv[i], "--slower=")) {
      options.slower = std::strtod(std::string(*share).c_str(), nullptr);
    } else if (const auto row = value_of(argv[i], "--row=")) {
      options.row = *row;
    } else if (const auto missing = value_of(argv[i], "--without=")) {
      options.without = *missing;
    } else if (const auto crashing = value_of(argv[i], "--crash=")) {
      options.crash = *crashing;
    } else {
      others.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(others.size());
  others.push_back(nullptr);
  benchmark::Initialize(&count, others.data());
  if (benchmark::ReportUnrecognizedArguments(count, others.data())) return 2;
  for (const Row& row : rows()) {
    if (row.name == options.without) continue;
    benchmark::RegisterBenchmark(row.name.c_str(), [row, &options](benchmark::State& state) {
      measure(state, row, options);
    })->UseRealTime();
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
