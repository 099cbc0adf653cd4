#include "results/measure/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <map>
#include <random>
#include <regex>
#include <span>
#include <sstream>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/measure/launch.hpp"
#include "results/measure/machine.hpp"
#include "results/measure/progress.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// What a size asks for.
struct Plan {
  int rounds;
  Seconds budget;  // of measuring, 0 for none
};
Plan plan_of(const RunOptions& options) {
  if (options.rounds > 0) return {options.rounds, Seconds(0)};
  if (options.size == "smoke") return {1, Seconds(0)};
  if (options.size == "full") return {10, Seconds(0)};
  return {3, std::chrono::minutes(3)};
}

using Accept = std::function<bool(const std::string&)>;

void keep_rows(Benchmark& benchmark, const Accept& accept) {
  if (std::erase_if(benchmark.rows, std::not_fn(accept)) > 0) benchmark.every_row = false;
}

// Google Benchmark takes a '-' in front to mean the rows that do not match.
bool negated(const std::string& filter) {
  return filter.starts_with('-');
}

std::regex expression(const std::string& filter) {
  return std::regex(negated(filter) ? filter.substr(1) : filter);
}

// The user need not know what Google Benchmark appends to a name: '$' means the end of either.
Accept filter_takes(const std::string& filter) {
  return [wanted = !negated(filter), expression = expression(filter)](const std::string& row) {
    const bool matches =
        std::regex_search(row, expression) || std::regex_search(parse_name(row).text(), expression);
    return matches == wanted;
  };
}

// How long launches take, to tell how long the rest will.
class Estimate {
 public:
  void add(const Benchmark& benchmark, Seconds taken) {
    auto& known = launches_[benchmark.name()];
    known.seconds += taken.count();
    known.count += 1;
    seconds_ += taken.count();
    rows_ += static_cast<double>(benchmark.rows.size());
  }

  // Of a binary that was not launched yet, as long per row as the others; none at the very start.
  [[nodiscard]] double seconds(const Benchmark& benchmark) const {
    const auto known = launches_.find(benchmark.name());
    if (known != launches_.end()) return known->second.seconds / known->second.count;
    return rows_ == 0 ? 0 : seconds_ / rows_ * static_cast<double>(benchmark.rows.size());
  }
  [[nodiscard]] bool empty() const { return rows_ == 0; }

 private:
  struct Known {
    double seconds = 0;
    int count = 0;
  };
  std::map<std::string, Known> launches_;
  double seconds_ = 0;
  double rows_ = 0;
};

// One run from its first launch to its file.
class Session {
 public:
  Session(const RunOptions& options, fs::path file)
      : options_(options),
        file_(std::move(file)),
        started_(std::time(nullptr)),
        plan_(plan_of(options)),
        before_(Activity::now()) {}

  Exit run() {
    read_catalog();
    tell_of_absent_pools();
    find_benchmarks();
    measure();
    return finish();
  }

 private:
  void fail(const std::string& line, const std::string& errors = {}) {
    progress_.line("ipc-compare: " + line);
    std::istringstream lines(errors);
    for (std::string text; std::getline(lines, text);) progress_.line("  | " + text);
    failures_.push_back(line);
  }

  // The catalog names the scenarios, and each has a binary of its name.
  void read_catalog() {
    const fs::path program = options_.bin / "catalog";
    if (::access(program.c_str(), X_OK) != 0) {
      throw Failure(
          Exit::benchmark,
          fmt::format("there is no {}; build the benchmarks, or name their folder with --bin",
                      program.string()));
    }
    const Ended ended = execute({program.string(), "--json", "--size=" + options_.size}, stop_,
                                options_.row_timeout);
    catalog_ = Json::parse(ended.output, nullptr, false);
    if (ended.interrupted) throw Failure(Exit::interrupted, "interrupted; nothing was measured");
    if (!ended.success() || !catalog_.is_object() || !catalog_.contains("scenarios")) {
      throw Failure(Exit::benchmark, fmt::format("{} --json {} and tells of no scenarios",
                                                 program.string(), ended.text()));
    }
  }

  // What could be measured beside the rest, and is not there.
  void tell_of_absent_pools() {
    for (const Json& pool : catalog_.value("other_pools", Json::array())) {
      if (!pool.contains("absent")) continue;
      progress_.line(fmt::format("{} is absent: {}", pool.value("name", ""),
                                 pool.value("absent", "no reason was given")));
    }
  }

  void find_benchmarks() {
    bool runnable = false;
    for (const Json& scenario : catalog_["scenarios"]) {
      Benchmark benchmark{.program = options_.bin / scenario.value("name", ""),
                          .arguments = {"--size=" + options_.size}};
      if (::access(benchmark.program.c_str(), X_OK) != 0) {
        fail(benchmark.name() + " is missing; build it, or name its folder with --bin");
        continue;
      }
      const std::string problem = list_rows(benchmark, stop_, options_.row_timeout);
      if (stop_.requested()) throw Failure(Exit::interrupted, "interrupted; nothing was measured");
      runnable = runnable || problem.empty();
      if (!problem.empty()) fail(problem);
      if (!options_.filter.empty()) keep_rows(benchmark, filter_takes(options_.filter));
      if (!benchmark.rows.empty()) benchmarks_.push_back(std::move(benchmark));
    }
    if (!benchmarks_.empty()) return;
    if (runnable && !options_.filter.empty()) {
      throw Failure(Exit::usage,
                    fmt::format("no row matches the filter '{}'; `{}` lists what there is",
                                options_.filter, (options_.bin / "catalog").string()));
    }
    throw Failure(Exit::benchmark,
                  fmt::format("no benchmark in {} can be run", options_.bin.string()));
  }

  void measure() {
    std::size_t rows = 0;
    std::vector<std::string> names;
    for (const Benchmark& benchmark : benchmarks_) {
      rows += benchmark.rows.size();
      names.push_back(benchmark.name());
    }
    progress_.line(fmt::format("{} rows of {}, {} size, {} round{}, seed {}", rows,
                               fmt::join(names, ", "), options_.size, plan_.rounds,
                               plan_.rounds == 1 ? "" : "s", options_.seed));
    std::mt19937_64 random(options_.seed);
    start_ = Clock::now();
    for (round_ = 0; round_ < plan_.rounds && !benchmarks_.empty(); ++round_) {
      if (round_ > 0 && plan_.budget.count() > 0 && !keep_to_budget()) break;
      shuffle(random);
      // A copy, because a binary of which every row broke leaves the list.
      const std::vector<Benchmark> order = benchmarks_;
      for (std::size_t i = 0; i < order.size(); ++i) {
        rest_ = std::span(order).subspan(i + 1);
        if (stop_.requested() || !measure(order[i])) return;
      }
    }
  }

  // Fisher and Yates. std::shuffle would spend the same seed differently with another library.
  void shuffle(std::mt19937_64& random) {
    for (std::size_t i = benchmarks_.size(); i > 1; --i) {
      std::swap(benchmarks_[i - 1], benchmarks_[random() % i]);
    }
  }

  bool keep_to_budget() {
    const int fit = rounds_within(plan_.budget, plan_.rounds, round_, Clock::now() - start_);
    if (fit < plan_.rounds) {
      progress_.line(fmt::format("{} of {} rounds fit into {} of measuring", fit, plan_.rounds,
                                 clock_text(whole(plan_.budget))));
      plan_.rounds = fit;
    }
    return round_ < plan_.rounds;
  }

  // False when the run was interrupted.
  bool measure(const Benchmark& benchmark) {
    Running now{.benchmark = benchmark};
    progress_.draw(step(now));
    bool broke = false;
    for (Benchmark rest = benchmark; !rest.rows.empty();) {
      const Launch result = launch(
          rest, stop_, options_.row_timeout, [&] { now.finished += 1; },
          [&] { progress_.draw(step(now)); });
      keep(benchmark, result);
      if (result.interrupted) return false;
      if (result.broken.empty()) break;
      broke = true;
      leave_out(benchmark.name(), result.broken);
      if (!result.may_go_on || over_budget()) break;
      const auto at = std::find(rest.rows.begin(), rest.rows.end(), result.broken);
      if (at == rest.rows.end()) break;
      rest.rows.erase(rest.rows.begin(), at + 1);
      rest.every_row = false;
      now.finished = benchmark.rows.size() - rest.rows.size();
    }
    const Seconds taken = Clock::now() - now.launched;
    launches_[benchmark.name()] += 1;
    now.finished = benchmark.rows.size();
    progress_.plain_line(fmt::format("{:3.0f} %  round {} of {}: {}, {:.1f} s",
                                     step(now).share * 100, round_ + 1, plan_.rounds,
                                     benchmark.name(), taken.count()));
    if (!broke) estimate_.add(benchmark, taken);
    return true;
  }

  // Takes over what a launch brought, and tells what went wrong.
  void keep(const Benchmark& benchmark, const Launch& result) {
    if (context_.is_null() && result.context.is_object()) context_ = result.context;
    for (Json entry : result.rows) {
      entry["binary"] = benchmark.name();
      entry["launch"] = round_;
      rows_.push_back(std::move(entry));
    }
    for (const std::string& failure : result.failures) {
      fail(failure, &failure == &result.failures.back() ? result.errors : "");
    }
  }

  // A row that crashed or hung would do it again in each round.
  void leave_out(const std::string& name, const std::string& row) {
    progress_.line(fmt::format("ipc-compare: {} is left out from now on; to see it alone:", row));
    const auto is_another = [&](const std::string& other) { return other != row; };
    for (Benchmark& benchmark : benchmarks_) {
      if (benchmark.name() != name) continue;
      keep_rows(benchmark, is_another);
      progress_.line(fmt::format("  {} {} --benchmark_filter='{}'", benchmark.program.string(),
                                 fmt::join(benchmark.arguments, " "), filter_for({row})));
    }
    std::erase_if(benchmarks_, [](const Benchmark& benchmark) { return benchmark.rows.empty(); });
  }

  [[nodiscard]] bool over_budget() const {
    return plan_.budget.count() > 0 && Clock::now() - start_ > plan_.budget;
  }

  // The launch that runs.
  struct Running {
    const Benchmark& benchmark;
    Clock::time_point launched = Clock::now();
    std::size_t finished = 0;  // rows
  };

  // Where the run is, and how long the rest will take.
  [[nodiscard]] Step step(const Running& now) {
    const Seconds elapsed = Clock::now() - start_;
    const double rows = static_cast<double>(now.benchmark.rows.size());
    const double share = std::min(1.0, static_cast<double>(now.finished) / rows);
    Estimate estimate = estimate_;
    if (estimate.empty() && share > 0) {
      estimate.add(now.benchmark, (Clock::now() - now.launched) / share);
    }
    const std::string what = now.finished < now.benchmark.rows.size()
                                 ? parse_name(now.benchmark.rows[now.finished]).text()
                                 : now.benchmark.name();
    double left = estimate.seconds(now.benchmark) * (1 - share);
    for (const Benchmark& later : rest_) left += estimate.seconds(later);
    double round = 0;
    for (const Benchmark& each : benchmarks_) round += estimate.seconds(each);
    left += round * (plan_.rounds - round_ - 1);
    // A new estimate may say that more is left than the last one did: the bar stays where it is.
    if (!estimate.empty()) {
      share_ = std::max(share_, elapsed.count() / (elapsed.count() + left));
    }
    return {.share = share_,
            .what = fmt::format("round {} of {}: {}", round_ + 1, plan_.rounds, what),
            .left = estimate.empty() ? std::chrono::seconds(-1) : whole(Seconds(left))};
  }

  static std::chrono::seconds whole(Seconds time) {
    return std::chrono::round<std::chrono::seconds>(time);
  }

  Exit finish() {
    progress_.clear();
    const bool interrupted = stop_.requested();
    if (rows_.empty()) {
      if (interrupted) throw Failure(Exit::interrupted, "interrupted; nothing was measured");
      throw Failure(Exit::benchmark, "no benchmark finished a row; nothing was written");
    }
    write_atomically(file_, document(interrupted).dump(1) + "\n");
    fmt::print("{}{}\n", interrupted ? "interrupted; what was finished is in " : "measured: ",
               file_.string());
    if (interrupted) return Exit::interrupted;
    return failures_.empty() ? Exit::ok : Exit::benchmark;
  }

  [[nodiscard]] Json document(bool interrupted) const {
    const Activity after = Activity::now();
    Json context = context_.is_object() ? context_ : Json::object();
    // They tell whose machine it is, or describe a single launch.
    for (const char* key : {"host_name", "executable", "date", "load_avg"}) context.erase(key);
    Json places = placement();
    if (context.contains("placement")) places["pinned"] = context["placement"];
    context["ipc_compare"] = {
        {"schema", schema},
        {"size", options_.size},
        {"filter", options_.filter},
        {"rounds", plan_.rounds},
        {"rounds_wanted", plan_of(options_).rounds},
        {"launches", launches_},
        {"seed", options_.seed},
        {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(started_))},
        {"duration_s", whole(Clock::now() - start_).count()},
        {"interrupted", interrupted},
        {"failures", failures_},
        {"machine", machine()},
        {"build", build()},
        {"limits", limits()},
        {"placement", places},
        {"environment",
         {{"load_average_before", before_.load_average},
          {"load_average_after", after.load_average},
          {"steal_s", std::round((after.steal_s - before_.steal_s) * 100) / 100}}},
        {"catalog", catalog_}};
    return {{"context", context}, {"benchmarks", rows_}};
  }

  const RunOptions& options_;
  fs::path file_;
  std::time_t started_;
  Plan plan_;
  Activity before_;
  StopSignals stop_;
  Progress progress_{stderr};
  Json catalog_;
  Json context_;
  std::vector<Benchmark> benchmarks_;
  std::span<const Benchmark> rest_;  // of the round, after the launch that runs
  int round_ = 0;
  Clock::time_point start_ = Clock::now();
  Estimate estimate_;
  double share_ = 0;  // of the whole that is done
  std::map<std::string, int> launches_;
  std::vector<Json> rows_;
  std::vector<std::string> failures_;
};

fs::path file_for(const fs::path& out) {
  if (out.extension() == ".json") return out;
  return out / fmt::format("{:%Y-%m-%d-%H%M%S}.json", fmt::localtime(std::time(nullptr)));
}

}  // namespace

int rounds_within(std::chrono::duration<double> budget, int wanted, int done,
                  std::chrono::duration<double> elapsed) {
  const double fit = budget / (elapsed / done);
  if (fit >= wanted) return wanted;
  return std::max(done, static_cast<int>(fit));
}

Exit run(const RunOptions& options) {
  try {
    expression(options.filter);
  } catch (const std::regex_error& error) {
    throw Failure(Exit::usage, fmt::format("the filter '{}' is not a regular expression: {}",
                                           options.filter, error.what()));
  }
  const fs::path file = file_for(options.out);
  require_writable(file);
  return Session(options, file).run();
}

}  // namespace results
