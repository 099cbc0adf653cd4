#include "results/gate/gate.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/compare/pairs.hpp"
#include "results/gate/stages.hpp"

namespace results {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto launch_silence = std::chrono::seconds(60);

PairsOptions pairs_options(const Policy& policy, std::uint64_t seed) {
  return {.metrics = policy.metrics,
          .min_time_s = policy.min_time_s,
          .repetitions = policy.repetitions,
          .discarded_share_max = policy.discarded_share_max,
          .silence = launch_silence,
          .seed = seed};
}

BuildsOptions asked_for(BuildsOptions builds, const Policy& policy) {
  for (const RowExpression& row : policy.rows) builds.rows.push_back(row.text());
  builds.arguments.insert(builds.arguments.end(), policy.arguments.begin(), policy.arguments.end());
  return builds;
}

Clock::time_point deadline(const Policy& policy) {
  return Clock::now() + std::chrono::round<Clock::duration>(
                            std::chrono::duration<double, std::ratio<60>>(policy.budget_minutes));
}

// Floors of another machine would be too low or too high here.
Calibration floors_for(const GateOptions& options) {
  if (options.calibration.empty()) return {};
  Calibration calibration = read_calibration(options.calibration);
  const auto other = differences(calibration.environment, this_machine());
  if (!other.empty() && !options.allow_other_machine) {
    throw Failure(
        Exit::inconclusive,
        fmt::format("{} was calibrated elsewhere ({}); calibrate here, or take its floors "
                    "with --allow-other-machine",
                    options.calibration.string(), fmt::join(other, "; ")));
  }
  return calibration;
}

class GateRun {
 public:
  explicit GateRun(const GateOptions& options)
      : options_(options), calibration_(floors_for(options)) {}

  GateReport run() {
    report_.base = options_.builds.base.string();
    report_.head = options_.builds.head.string();
    report_.environment = this_machine();
    Subjects subjects =
        find_subjects(asked_for(options_.builds, options_.policy), stop_, launch_silence);
    take_over(subjects);
    if (!subjects.rows.empty()) measure(std::move(subjects.rows));
    judge_waivers();
    report_.exit = exit();
    return std::move(report_);
  }

 private:
  // What is known without measuring.
  void take_over(Subjects& subjects) {
    report_.notes = std::move(subjects.notes);
    for (const std::string& name : subjects.added) {
      report_.notes.push_back(fmt::format("only head has {}", name));
    }
    require_declared_rows(subjects);
    report_.rows = std::move(subjects.missing);
    if (options_.measure_identical) return;
    for (const Subject& subject : subjects.rows) {
      if (!subject.identical) continue;
      report_.rows.push_back(without_values(subject.name, {}, Verdict::identical, {}));
    }
    std::erase_if(subjects.rows, [](const Subject& subject) { return subject.identical; });
  }

  // A row that the policy names and that neither build has.
  void require_declared_rows(Subjects& subjects) const {
    for (const RowExpression& row : options_.policy.rows) {
      const auto finds = [&](const auto& name) { return row.finds(name); };
      if (std::ranges::any_of(subjects.rows, finds, &Subject::name) ||
          std::ranges::any_of(subjects.missing, finds, &Comparison::row)) {
        continue;
      }
      subjects.missing.push_back(
          without_values(row.text(), {}, Verdict::missing,
                         "no row of base matches this expression of the policy"));
    }
  }

  void measure(std::vector<Subject> subjects) {
    const auto end = deadline(options_.policy);
    std::vector<std::string> names;
    for (const Subject& subject : subjects) names.push_back(subject.name);
    PairMeasurement measurement(std::move(subjects), pairs_options(options_.policy, options_.seed),
                                stop_, progress_);
    Decision decision = decide(
        names, options_.policy,
        [&](const std::string& row, const std::string& metric) {
          return std::max(options_.policy.floor(row), calibration_.floor(row, metric));
        },
        [&](const std::vector<std::size_t>& rows, int blocks, const std::string& what) {
          progress_.plain_line(
              fmt::format("{}: {} rows, {} blocks each", what, rows.size(), blocks));
          return measurement.measure(rows, blocks, end, what);
        });
    unfit_ = decision.unfit;
    complete_ = decision.complete;
    std::ranges::move(decision.rows, std::back_inserter(report_.rows));
    report_.stages = std::move(decision.stages);
    report_.discarded = std::move(decision.discarded);
    if (!unfit_.empty()) report_.notes.push_back("the machine is unfit to measure on: " + unfit_);
    if (!complete_) {
      report_.notes.push_back(
          fmt::format("the budget of {} minutes ran out before everything was decided",
                      options_.policy.budget_minutes));
    }
  }

  void judge_waivers() {
    for (std::string& line : apply(options_.waivers, today(), report_.rows)) {
      report_.notes.push_back(std::move(line));
    }
  }

  [[nodiscard]] Exit exit() const {
    const auto any = [&](auto... verdicts) {
      return std::ranges::any_of(
          report_.rows, [&](const Comparison& row) { return ((row.verdict == verdicts) || ...); });
    };
    if (!unfit_.empty()) return Exit::inconclusive;
    if (std::ranges::any_of(report_.rows, is_red)) return Exit::regression;
    if (any(Verdict::missing, Verdict::failed)) return Exit::benchmark;
    const bool open = options_.policy.inconclusive_fails && any(Verdict::inconclusive);
    return open || !complete_ ? Exit::inconclusive : Exit::ok;
  }

  const GateOptions& options_;
  Calibration calibration_;
  StopSignals stop_;
  Progress progress_{stderr};
  GateReport report_;
  std::string unfit_;
  bool complete_ = true;
};

}  // namespace

GateReport gate(const GateOptions& options) {
  return GateRun(options).run();
}

Calibration calibrate(const CalibrateOptions& options) {
  StopSignals stop;
  Progress progress(stderr);
  Subjects subjects =
      find_subjects(asked_for(options.builds, options.policy), stop, launch_silence);
  if (!subjects.missing.empty()) {
    throw Failure(Exit::benchmark, fmt::format("{}: {}", subjects.missing.front().row,
                                               subjects.missing.front().reason));
  }
  std::vector<std::string> names;
  std::vector<std::size_t> rows;
  for (const Subject& subject : subjects.rows) {
    rows.push_back(names.size());
    names.push_back(subject.name);
  }
  PairMeasurement measurement(std::move(subjects.rows), pairs_options(options.policy, options.seed),
                              stop, progress);
  const Paired paired =
      measurement.measure(rows, options.pairs, deadline(options.policy), "calibrate");
  if (paired.unfit) {
    throw Failure(Exit::inconclusive,
                  fmt::format("the machine is unfit to measure on: {}", paired.discarded.back()));
  }
  const auto failed = std::ranges::find_if_not(paired.failures, &std::string::empty);
  if (failed != paired.failures.end()) throw Failure(Exit::benchmark, *failed);
  Calibration calibration = calibrate(names, paired, options.policy.screen_pairs, options.seed);
  calibration.environment = this_machine();
  return calibration;
}

}  // namespace results
