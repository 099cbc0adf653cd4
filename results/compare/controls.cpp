#include "results/compare/controls.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "results/statistics/median.hpp"

namespace results {
namespace {

constexpr int passes = 9;

template <class Loop>
double ns_of(Loop&& loop) {
  std::vector<double> ns;
  for (int pass = 0; pass < passes; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    loop();
    ns.push_back(
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
  }
  return median(ns);
}

void spin() {
  std::uint64_t value = 1;
  for (int i = 0; i < 100'000; ++i) asm volatile("" : "+r"(value += value >> 3 | 1));
}

void copy(std::vector<char>& from, std::vector<char>& to) {
  for (auto [source, target] : {std::pair(&from, &to), std::pair(&to, &from)}) {
    std::memcpy(target->data(), source->data(), source->size());
    asm volatile("" : : "r"(target->data()) : "memory");
  }
}

void call_the_kernel() {
  for (int i = 0; i < 500; ++i) ::syscall(SYS_getppid);
}

// A word that two threads hand to each other; each sleeps until the word is its own.
class Turns {
 public:
  void take(int mine, int turns) {
    for (int turn = 0; turn < turns; ++turn) {
      // Nothing is handed over but the turn itself: no other memory need be visible.
      while (turn_.load(std::memory_order_relaxed) != mine) {
        ::syscall(SYS_futex, &turn_, FUTEX_WAIT_PRIVATE, 1 - mine, nullptr, nullptr, 0);
      }
      turn_.store(1 - mine, std::memory_order_relaxed);
      ::syscall(SYS_futex, &turn_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
  }

 private:
  std::atomic<std::int32_t> turn_ = 0;
};

// While it lives, this thread and those that it starts stay on the CPU where they are: to wake a
// thread on another one costs several times as much, and which it is would be chance.
class OneCpu {
 public:
  OneCpu() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;
  ~OneCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

double futex_ns() {
  constexpr int turns = 100;
  const OneCpu here;
  Turns word;
  std::thread peer([&] { word.take(1, turns * passes); });
  const double ns = ns_of([&] { word.take(0, turns); });
  peer.join();
  return ns;
}

}  // namespace

Controls measure_controls() {
  std::vector<char> from(1 << 20, 'a');
  std::vector<char> to(1 << 20, 'b');
  return {.ns = {ns_of(spin), ns_of([&] { copy(from, to); }), ns_of(call_the_kernel), futex_ns()}};
}

}  // namespace results
