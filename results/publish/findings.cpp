#include "results/publish/findings.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "results/units.hpp"

namespace results {
namespace {

constexpr std::string_view time = "real_time_ns";
constexpr std::string_view round_trip_time = "latency_ns_p50";

struct Best {
  Name name;
  double value;
};

class Reader {
 public:
  explicit Reader(const Measurements& measurements) : measurements_(measurements) {}

  std::vector<Finding> all() const {
    std::vector<Finding> found;
    const auto add = [&](std::string about, const std::string& says) {
      if (!says.empty()) found.push_back({std::move(about), says});
    };
    add("Sharing data", sharing());
    add("There and back", cheapest_round_trip());
    add("Process or thread", process_or_thread());
    add("Waking", waking());
    add("Bandwidth", bandwidth());
    add("Pools", pools());
    add("One task", one_task());
    add("A killed worker", killed_worker());
    return found;
  }

 private:
  using Accept = std::function<bool(const Name&)>;

  [[nodiscard]] std::optional<double> value(const Name& name, std::string_view figure) const {
    const std::optional<Summary> summary = measurements_.summary(name, figure);
    if (!summary) return std::nullopt;
    return summary->median;
  }

  // Whether who waited gave its CPU away, by what was counted: some mechanisms spin for a while
  // before they sleep, and it depends on the row whether it comes to that.
  [[nodiscard]] std::optional<bool> sleeps(const Name& name) const {
    const std::optional<double> switches = value(name, "switches_voluntary_per_message");
    if (!switches) return std::nullopt;
    return *switches >= 0.05;
  }

  // The accepted row with the least, or the most, of a figure.
  [[nodiscard]] std::optional<Best> best(std::string_view scenario, const Keys& keys,
                                         std::string_view figure, bool lower,
                                         const Accept& accept) const {
    std::optional<Best> best;
    for (const Name& name : measurements_.names(scenario, keys)) {
      const std::optional<double> here = value(name, figure);
      if (!here || !accept(name)) continue;
      if (!best || (lower ? *here < best->value : *here > best->value)) best = {name, *here};
    }
    return best;
  }

  [[nodiscard]] std::string sharing() const {
    const Accept lock = [](const Name& name) {
      return name.value("guard") != "atomic" && !name.value("guard").starts_with("owner_");
    };
    const Accept owner = [](const Name& name) { return name.value("guard").starts_with("owner_"); };
    const auto at = [&](std::string_view peer, const Accept& accept) {
      return best("shared_data", {{"data", "counter"}, {"workers", "2"}, {"peer", peer}}, time,
                  true, accept);
    };
    const auto threads = at("thread", lock), processes = at("process", lock);
    if (!threads || !processes) return {};
    std::string says = fmt::format(
        "two workers that add to one counter need {} an update as threads under `{}` and {} as "
        "processes under `{}`, the cheapest lock of each: {} ×",
        with_unit(threads->value, Unit::nanoseconds), threads->name.value("guard"),
        with_unit(processes->value, Unit::nanoseconds), processes->name.value("guard"),
        ratio_text(processes->value / threads->value));
    if (const auto message = at("process", owner)) {
      says +=
          fmt::format("; as messages to an owner at least {} (`{}`)",
                      with_unit(message->value, Unit::nanoseconds), message->name.value("guard"));
    }
    return says + ".";
  }

  [[nodiscard]] std::string cheapest_round_trip() const {
    const Keys keys = {{"cpus", "cross"}, {"peer", "process"}, {"bytes", "64"}};
    const auto spinner = best("round_trip", keys, round_trip_time, true,
                              [&](const Name& name) { return sleeps(name) == false; });
    const auto sleeper = best("round_trip", keys, round_trip_time, true,
                              [&](const Name& name) { return sleeps(name) == true; });
    if (!sleeper) return {};
    std::string says = fmt::format(
        "64 B between processes on two CPUs take at least {} (`{}`) with a peer that sleeps",
        with_unit(sleeper->value, Unit::nanoseconds), sleeper->name.value("channel"));
    if (spinner) {
      says +=
          fmt::format(", and {} (`{}`) with one that keeps its CPU busy",
                      with_unit(spinner->value, Unit::nanoseconds), spinner->name.value("channel"));
      if (const auto times = value(spinner->name, "times_cache_line")) {
        says += fmt::format(": {} × a bare cache line each way", ratio_text(*times));
      }
    }
    return says + ".";
  }

  // Ratios over channels of two rows that differ in one key.
  [[nodiscard]] std::vector<double> ratios(const Keys& keys, std::string_view key,
                                           std::string_view above, std::string_view below,
                                           const Accept& accept) const {
    std::vector<double> ratios;
    for (const Name& name : measurements_.names("round_trip", keys)) {
      if (name.value(key) != above || !accept(name)) continue;
      const auto a = value(name, round_trip_time),
                 b = value(name.with(key, below), round_trip_time);
      if (a && b && *b > 0) ratios.push_back(*a / *b);
    }
    std::sort(ratios.begin(), ratios.end());
    return ratios;
  }

  [[nodiscard]] std::string process_or_thread() const {
    const std::vector<double> all = ratios({{"cpus", "cross"}, {"bytes", "64"}}, "peer", "process",
                                           "thread", [](const Name&) { return true; });
    if (all.size() < 2) return {};
    return fmt::format(
        "over the same mechanism, a round trip between processes takes {} × as long as between "
        "threads (median of {} mechanisms, {} to {}; 64 B, two CPUs).",
        ratio_text(median(all)), all.size(), ratio_text(all.front()), ratio_text(all.back()));
  }

  [[nodiscard]] std::string waking() const {
    const std::vector<double> all =
        ratios({{"peer", "process"}, {"bytes", "64"}}, "cpus", "cross", "same",
               [&](const Name& name) { return sleeps(name) == true; });
    if (all.size() < 2) return {};
    return fmt::format(
        "where the peer sleeps, a round trip on two CPUs takes {} × as long as on one (median of "
        "{} mechanisms, {} to {}; 64 B, processes).",
        ratio_text(median(all)), all.size(), ratio_text(all.front()), ratio_text(all.back()));
  }

  [[nodiscard]] std::string bandwidth() const {
    const auto most = best("one_way", {{"cpus", "cross"}, {"peer", "process"}}, "bytes_per_second",
                           false, [](const Name&) { return true; });
    if (!most) return {};
    std::string says =
        fmt::format("the most between processes on two CPUs is {} (`{}`, {})",
                    with_unit(most->value, Unit::bytes_per_second), most->name.value("channel"),
                    bytes_text(most->name.value("bytes")));
    const auto copy = best("floor", {{"what", "memcpy"}, {"bytes", most->name.value("bytes")}},
                           time, true, [](const Name&) { return true; });
    const std::string bytes(most->name.value("bytes"));
    const double size = bytes.empty() ? 0 : std::stod(bytes);
    if (copy && copy->value > 0 && size > 0) {
      says += fmt::format("; memcpy alone copies such a piece at {}",
                          with_unit(size / copy->value * 1e9, Unit::bytes_per_second));
    }
    return says + ".";
  }

  // The one with most tasks per second of those whose names begin so.
  [[nodiscard]] std::optional<Best> busiest(std::string_view chunk, std::string_view kind) const {
    return best("pool_map", {{"task", "empty"}, {"chunk", chunk}, {"workers", "2"}},
                "tasks_per_second", false,
                [kind](const Name& name) { return name.value("pool").starts_with(kind); });
  }

  [[nodiscard]] std::string pools() const {
    const auto threads = busiest("1", "thread_"), processes = busiest("1", "process_");
    if (!threads || !processes) return {};
    std::string says = fmt::format(
        "of tasks that do nothing, one by one, two workers get at most {} done as threads (`{}`) "
        "and {} as processes (`{}`)",
        with_unit(threads->value, Unit::per_second), threads->name.value("pool"),
        with_unit(processes->value, Unit::per_second), processes->name.value("pool"));
    const auto chunks = busiest("auto", "process_");
    if (chunks) {
      says += fmt::format(", and in chunks {} (`{}`)", with_unit(chunks->value, Unit::per_second),
                          chunks->name.value("pool"));
    }
    constexpr std::string_view python = "python_multiprocessing_pool";
    const auto python_one = busiest("1", python), python_chunks = busiest("auto", python);
    if (python_one) {
      says += fmt::format(": {} × as many as Python's `multiprocessing.Pool` one by one",
                          ratio_text(processes->value / python_one->value));
    }
    if (python_one && chunks && python_chunks) {
      says += fmt::format(" and {} × in chunks", ratio_text(chunks->value / python_chunks->value));
    }
    return says + ".";
  }

  [[nodiscard]] std::string one_task() const {
    const Keys keys = {{"cpus", "cross"}};
    std::vector<double> all;
    for (const Name& name : measurements_.names("pool_dispatch", keys)) {
      if (const auto times = value(name, "times_round_trip")) all.push_back(*times);
    }
    if (all.size() < 2) return {};
    std::sort(all.begin(), all.end());
    std::string says = fmt::format(
        "to have one task done takes {} × the bare round trip of what it goes over (median of {} "
        "pools, {} to {}; two CPUs)",
        ratio_text(median(all)), all.size(), ratio_text(all.front()), ratio_text(all.back()));
    const auto quickest = [&](std::string_view kind) {
      return best("pool_dispatch", keys, round_trip_time, true,
                  [kind](const Name& name) { return name.value("pool").starts_with(kind); });
    };
    const auto ours = quickest("process_"), python = quickest("python_");
    if (ours && python) {
      says += fmt::format(": at best {} (`{}`), in Python {} (`{}`)",
                          with_unit(ours->value, Unit::nanoseconds), ours->name.value("pool"),
                          with_unit(python->value, Unit::nanoseconds), python->name.value("pool"));
    }
    return says + ".";
  }

  [[nodiscard]] std::string killed_worker() const {
    std::vector<double> all;
    for (const Name& name : measurements_.names("pool_death", {})) {
      if (!name.value("pool").starts_with("process_")) continue;
      if (const auto known = value(name, "known_ns_p50")) all.push_back(*known);
    }
    if (all.size() < 2) return {};
    std::sort(all.begin(), all.end());
    return fmt::format(
        "the caller knows of a worker that was killed at work after {} (median of {} pools, {} to "
        "{}), and the pool goes on.",
        with_unit(median(all), Unit::nanoseconds), all.size(),
        with_unit(all.front(), Unit::nanoseconds), with_unit(all.back(), Unit::nanoseconds));
  }

  const Measurements& measurements_;
};

}  // namespace

std::vector<Finding> findings(const Measurements& measurements) {
  return Reader(measurements).all();
}

}  // namespace results
