// What a thread has cost so far: CPU time and context switches.
#pragma once

#include <sys/resource.h>
#include <time.h>

#include <cstdint>

namespace bench {

struct Usage {
  double cpu_ns = 0;
  double switches_voluntary = 0;    // it waited
  double switches_involuntary = 0;  // somebody else's turn

  // Of the calling thread. The clock is exact; ru_utime counts what ran up to the last tick.
  static Usage of_this_thread() {
    timespec cpu{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return {.cpu_ns = static_cast<double>(cpu.tv_sec) * 1e9 + static_cast<double>(cpu.tv_nsec),
            .switches_voluntary = static_cast<double>(usage.ru_nvcsw),
            .switches_involuntary = static_cast<double>(usage.ru_nivcsw)};
  }

  Usage& operator+=(const Usage& more) {
    cpu_ns += more.cpu_ns;
    switches_voluntary += more.switches_voluntary;
    switches_involuntary += more.switches_involuntary;
    return *this;
  }
  friend Usage operator-(const Usage& after, const Usage& before) {
    return {.cpu_ns = after.cpu_ns - before.cpu_ns,
            .switches_voluntary = after.switches_voluntary - before.switches_voluntary,
            .switches_involuntary = after.switches_involuntary - before.switches_involuntary};
  }
  // Requires count > 0.
  [[nodiscard]] Usage per(double count) const {
    return {.cpu_ns = cpu_ns / count,
            .switches_voluntary = switches_voluntary / count,
            .switches_involuntary = switches_involuntary / count};
  }
};

}  // namespace bench
