// Rows: their names, their registration, and what they tell Google Benchmark.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <benchmark/benchmark.h>

#include "bench/measure.hpp"
#include "bench/payload.hpp"
#include "bench/placement.hpp"
#include "bench/settings.hpp"
#include "bench/watchdog.hpp"
#include "ipc/channel.hpp"

namespace bench {

// "scenario/key:value/...", the most significant key first.
class RowName {
 public:
  explicit RowName(std::string_view scenario) : text_(scenario) {}

  [[nodiscard]] RowName with(std::string_view key, std::string_view value) const {
    RowName longer = *this;
    longer.text_.append("/").append(key).append(":").append(value);
    return longer;
  }
  [[nodiscard]] RowName with(std::string_view key, std::integral auto value) const {
    return with(key, std::to_string(value));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

inline void add_capacity(Counters& counters, const ipc::Capacity& capacity) {
  counters["capacity_bytes"] = static_cast<double>(capacity.bytes);
  counters["capacity_messages"] = static_cast<double>(capacity.messages);
}

// `messages` of them make one operation.
inline void add_usage(Counters& counters, const Usage& an_operation, double messages) {
  const Usage usage = an_operation.per(messages);
  counters["cpu_ns_per_message"] = usage.cpu_ns;
  counters["switches_voluntary_per_message"] = usage.switches_voluntary;
  counters["switches_involuntary_per_message"] = usage.switches_involuntary;
}

// What the rows of one binary have in common. Outlives them.
class Suite {
 public:
  // Skips all rows up to the one called `after`, and that one; none when `after` is empty.
  Suite(Settings settings, Progress& progress, std::string after = "")
      : settings_(settings), progress_(progress), after_(std::move(after)) {}

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Check check() const {
    return settings_.size == Size::smoke ? Check::everything : Check::ends;
  }

  // Still does: the row after which to begin was not added yet.
  [[nodiscard]] bool skips() const { return !after_.empty(); }

  // Registers a row. `take` measures it once; what it throws becomes the row's error.
  void add(const RowName& name, std::function<Measured()> take) {
    if (skips()) {
      // Google Benchmark lists a row with its kind of time at the end.
      if (after_ == name.text() || after_ == name.text() + "/manual_time") after_.clear();
      return;
    }
    const auto row = [this, name, take = std::move(take), iterations = std::int64_t{0}](
                         benchmark::State& state) mutable { run(state, name, take, iterations); };
    benchmark::RegisterBenchmark(name.text().c_str(), row)
        ->UseManualTime()
        ->Unit(benchmark::kNanosecond);
  }

 private:
  void run(benchmark::State& state, const RowName& name, const std::function<Measured()>& take,
           std::int64_t& iterations) {
    progress_.begin(name.text());
    bool failed = false;
    try {
      report(state, take(), iterations);
    } catch (const std::exception& error) {
      failed = true;
      state.SkipWithError(error.what());
    }
    progress_.end(failed);
  }

  // The measurement knows its own time and is taken once. Google Benchmark hears of it as one
  // batch: left to search for the number of iterations, it would open the channel and start the
  // peer again for each guess. It takes again what was shorter than the row's time, so it is told
  // as many iterations as fill that. It insists that the repetitions of a row have the same number:
  // after the first one, the time that is told is that of so many.
  void report(benchmark::State& state, const Measured& measured, std::int64_t& iterations) const {
    const auto operations = static_cast<double>(measured.operations);
    if (iterations == 0) {
      const double missing = settings_.seconds_per_row / measured.seconds;
      iterations = static_cast<std::int64_t>(std::ceil(operations * std::max(1.0, 1.01 * missing)));
    }
    iterations = std::max<std::int64_t>(iterations, state.max_iterations);
    const double seconds = measured.seconds * static_cast<double>(iterations) / operations;
    while (state.KeepRunningBatch(iterations)) state.SetIterationTime(seconds);
    for (const auto& [name, value] : measured.counters) state.counters[name] = value;
    if (!measured.label.empty()) state.SetLabel(measured.label);
  }

  Settings settings_;
  Progress& progress_;
  std::string after_;
  Placement placement_;
};

}  // namespace bench
