// The timing loop: warm up, choose the batch, take samples until the row's time is full.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "bench/samples.hpp"
#include "bench/settings.hpp"
#include "bench/usage.hpp"

namespace bench {

using Clock = std::chrono::steady_clock;

inline double ns_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::nano>(to - from).count();
}

struct Measured {
  Samples samples;              // ns an operation, one for each batch
  std::int64_t operations = 0;  // in all samples together
  double seconds = 0;           // that they took
  double batch = 1;             // operations in a sample
  Usage usage;                  // an operation, of whoever took part
  Counters counters;            // what is told of it
  std::string label;            // the same in words, where figures do not say it
};

// A pair of clock reads costs tens of nanoseconds and the clock may step by ten, so what is
// shorter than `alone_ns` is timed in batches of `sample_ns` or more.
struct Batching {
  double alone_ns = 1000;
  double sample_ns = 5000;
};

// Does an operation so many times, with nothing between them.
using Batch = std::function<void(std::int64_t count)>;

// Runs the operation until caches, branch predictors and pages know it; returns what one takes at
// best, ns: what is too long makes a batch too short, and the clock would show in every sample.
// Bounded by time and not by count: an operation may be a nanosecond or a time slice, and may turn
// from one into the other when the kernel puts two that spin on one CPU. So a batch grows only
// until it is long enough for a sample. There are two at least: the kernel may have run somebody
// else.
inline double warm_up(const Settings& settings, Batching batching, const Batch& batch) {
  const double enough_ns = settings.seconds_per_row * 1e9 / 4;
  double best_ns = std::numeric_limits<double>::infinity();
  double total_ns = 0;
  std::int64_t count = 1;
  for (int batches = 0; batches < 2 || total_ns < enough_ns; ++batches) {
    const auto start = Clock::now();
    batch(count);
    const double took_ns = std::max(ns_between(start, Clock::now()), 1.0);
    best_ns = std::min(best_ns, took_ns / static_cast<double>(count));
    total_ns += took_ns;
    if (took_ns < batching.sample_ns) count *= 2;
  }
  return best_ns;
}

// Times batches for the row's time, by this thread's clock.
inline Measured measure_batches(const Settings& settings, Batching batching, const Batch& batch) {
  const double estimate_ns = warm_up(settings, batching, batch);
  const auto count = estimate_ns >= batching.alone_ns
                         ? std::int64_t{1}
                         : static_cast<std::int64_t>(std::ceil(batching.sample_ns / estimate_ns));
  const double wanted_ns = settings.seconds_per_row * 1e9;
  Measured measured;
  measured.batch = static_cast<double>(count);
  measured.samples.reserve(
      64 + static_cast<std::size_t>(2 * wanted_ns / (estimate_ns * measured.batch)));
  const Usage before = Usage::of_this_thread();
  double total_ns = 0;
  while (total_ns < wanted_ns) {
    const auto start = Clock::now();
    batch(count);
    const double took_ns = ns_between(start, Clock::now());
    measured.samples.add(took_ns / measured.batch);
    total_ns += took_ns;
    measured.operations += count;
  }
  measured.usage = (Usage::of_this_thread() - before).per(static_cast<double>(measured.operations));
  measured.seconds = total_ns / 1e9;
  measured.counters = measured.samples.counters();
  measured.counters["batch"] = measured.batch;
  return measured;
}

// The same for one operation.
template <class Operation>
Measured measure(const Settings& settings, Batching batching, Operation&& operation) {
  return measure_batches(settings, batching, [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) operation();
  });
}

// Times rounds, each long enough that its start and end do not show. round(count) does `count`
// times `each` operations, and check() looks at what came of it when the clock has stopped. A round
// is the mean of thousands of operations, and says nothing about the slow ones: no percentiles.
template <class Round, class Check>
Measured measure_rounds(const Settings& settings, std::int64_t each, Round&& round, Check&& check) {
  const auto time_round = [&](std::int64_t count) {
    const auto start = Clock::now();
    round(count);
    const double took_ns = ns_between(start, Clock::now());
    check();
    return took_ns;
  };
  const double wanted_ns = settings.seconds_per_row * 1e9;
  const double round_ns = std::min(wanted_ns / 4, 5e6);
  std::int64_t count = 4;
  // Twice, as in warm_up: a round that was interrupted is long and not big.
  while (time_round(count) < round_ns || time_round(count) < round_ns) count *= 2;
  Measured measured;
  measured.batch = static_cast<double>(count * each);
  const Usage before = Usage::of_this_thread();
  double total_ns = 0;
  while (total_ns < wanted_ns) {
    const double took_ns = time_round(count);
    measured.samples.add(took_ns / measured.batch);
    total_ns += took_ns;
    measured.operations += count * each;
  }
  measured.usage = (Usage::of_this_thread() - before).per(static_cast<double>(measured.operations));
  measured.seconds = total_ns / 1e9;
  measured.counters["samples"] = static_cast<double>(measured.samples.size());
  measured.counters["batch"] = measured.batch;
  return measured;
}

}  // namespace bench
