// How often the gate is wrong on this machine: trials whose answer is known. Not part of the suite,
// as it takes many minutes; the README of this room says what to type.
//
//   same BIN        gates of a build against itself: each red one is false
//   slower SUBJECT  gates of a build that was slowed by a known share: how many are found
//   resample BIN    both, from one real series of pairs of a build against itself, drawn again and
//                   again: more gates than there is time for
//   speed           what the statistics of a large comparison take
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/compare/judge.hpp"
#include "results/gate/gate.hpp"
#include "results/gate/stages.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"
#include "results/statistics/multiple_testing.hpp"

namespace {

namespace fs = std::filesystem;
using results::Exit;
using results::Verdict;

struct Options {
  fs::path path;
  std::vector<std::string> rows;
  std::vector<std::string> arguments;
  results::Policy policy;
  std::vector<double> slower{0.03, 0.05, 0.10, 0.20};
  int trials = 20;
  int pairs = 40;
  std::uint64_t seed = 1;
};

double minutes_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 60;
}

std::size_t reds(const results::GateReport& report) {
  return static_cast<std::size_t>(std::ranges::count_if(report.rows, results::is_red));
}

// The share that would be exceeded by chance once in twenty such series (Clopper and Pearson,
// 1934).
double upper_bound(int wrong, int trials) {
  return boost::math::binomial_distribution<>::find_upper_bound_on_p(trials, wrong, 0.05);
}

void same(const Options& options) {
  int red = 0;
  int unfit = 0;
  for (int trial = 0; trial < options.trials; ++trial) {
    const auto start = std::chrono::steady_clock::now();
    const auto report = results::gate({.builds = {.base = options.path,
                                                  .head = options.path,
                                                  .rows = options.rows,
                                                  .arguments = options.arguments},
                                       .policy = options.policy,
                                       .measure_identical = true,
                                       .seed = options.seed + static_cast<std::uint64_t>(trial)});
    red += reds(report) > 0 ? 1 : 0;
    unfit += report.exit == Exit::inconclusive ? 1 : 0;
    fmt::print("{}  exit {}, {:.1f} min: {}; {}; {} blocks thrown out\n", trial + 1,
               static_cast<int>(report.exit), minutes_since(start), report.counts(),
               fmt::join(report.stages, "; "), report.discarded.size());
    std::fflush(stdout);
  }
  fmt::print("same: {} of {} gates red (95 % bound {:.1f} %), {} without a verdict\n", red,
             options.trials, 100 * upper_bound(red, options.trials), unfit);
}

// Two builds of the subject; head is slower by a share.
class Planted {
 public:
  Planted(const fs::path& subject, double slower) {
    std::string name = (fs::temp_directory_path() / "gate-trials-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp: " + name);
    folder_ = name;
    for (const bool head : {false, true}) {
      const fs::path script = path(head) / "self_test";
      fs::create_directory(path(head));
      std::ofstream(script) << "#!/bin/sh\nexec '" << fs::absolute(subject).string()
                            << "' --slower=" << (head ? slower : 0) << " \"$@\"\n";
      fs::permissions(script, fs::perms::owner_all);
    }
  }
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
  ~Planted() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] fs::path path(bool head) const { return folder_ / (head ? "head" : "base"); }

 private:
  fs::path folder_;
};

// Each row of each gate is a trial.
void slower(const Options& options) {
  for (const double share : options.slower) {
    const Planted builds(options.path, share);
    std::map<std::string, std::map<std::string, int>> found;  // by row and verdict
    std::map<std::string, std::vector<double>> slowdowns;
    for (int trial = 0; trial < options.trials; ++trial) {
      const auto report = results::gate(
          {.builds = {.base = builds.path(false), .head = builds.path(true), .rows = options.rows},
           .policy = options.policy,
           .seed = options.seed + static_cast<std::uint64_t>(trial)});
      for (const auto& row : report.rows) {
        found[row.row][std::string(to_text(row.verdict))] += 1;
        slowdowns[row.row].push_back(row.slowdown());
      }
    }
    for (const auto& [row, verdicts] : found) {
      const auto confirmed = verdicts.find("regression");
      fmt::print("slower by {:.0f} %, {}: {} of {} found, seen as {:.1f} % (median); {}\n",
                 100 * share, row, confirmed == verdicts.end() ? 0 : confirmed->second,
                 options.trials, 100 * (results::median(slowdowns[row]) - 1), verdicts);
      std::fflush(stdout);
    }
  }
}

// Blocks drawn from those of a real series, each with a random sign: base and head are the same, so
// that the sign says nothing. `slower` is the share that head is slower by, of the rows that
// `is_slowed` picks.
template <class IsSlowed>
results::MeasurePairs drawn_from(const results::Paired& real, double slower, IsSlowed is_slowed,
                                 std::mt19937_64& random) {
  return [&real, slower, is_slowed, &random](const std::vector<std::size_t>& rows, int blocks,
                                             const std::string&) {
    results::Paired drawn;
    drawn.rows.resize(real.rows.size());
    drawn.failures.resize(real.rows.size());
    for (const std::size_t row : rows) {
      for (const auto& [metric, pairs] : real.rows[row]) {
        for (int block = 0; block < blocks; ++block) {
          const std::uint64_t bits = random();
          results::Pair pair = pairs[(bits >> 1) % pairs.size()];
          if ((bits & 1) != 0) std::swap(pair.base, pair.head);
          if (is_slowed(row)) pair.head += std::log1p(slower);
          drawn.rows[row][metric].push_back(pair);
        }
      }
    }
    return drawn;
  };
}

void resample(const Options& options) {
  results::StopSignals stop;
  results::Progress progress(stderr);
  auto subjects = results::find_subjects({.base = options.path,
                                          .head = options.path,
                                          .rows = options.rows,
                                          .arguments = options.arguments},
                                         stop, std::chrono::seconds(60));
  std::vector<std::string> names;
  std::vector<std::size_t> rows;
  for (const auto& subject : subjects.rows) {
    rows.push_back(names.size());
    names.push_back(subject.name);
  }
  results::PairMeasurement measurement(std::move(subjects.rows),
                                       {.metrics = options.policy.metrics,
                                        .min_time_s = options.policy.min_time_s,
                                        .repetitions = options.policy.repetitions,
                                        .discarded_share_max = 0.5,
                                        .seed = options.seed},
                                       stop, progress);
  const auto real = measurement.measure(rows, options.pairs,
                                        std::chrono::steady_clock::time_point::max(), "measure");
  const auto floor = [&](const std::string& row, const std::string&) {
    return options.policy.floor(row);
  };
  std::mt19937_64 random(options.seed);
  const auto decide = [&](double slower, auto is_slowed) {
    return results::decide(names, options.policy, floor,
                           drawn_from(real, slower, is_slowed, random));
  };
  const auto none = [](std::size_t) { return false; };
  const auto all = [](std::size_t) { return true; };
  int red = 0;
  int suspected = 0;
  for (int suite = 0; suite < options.trials; ++suite) {
    const auto decision = decide(0, none);
    red += std::ranges::any_of(decision.rows, results::is_red) ? 1 : 0;
    suspected += decision.stages.size() > 1 ? 1 : 0;
  }
  fmt::print(
      "resampled from {} blocks of {} rows: {} of {} gates of identical builds red (95 % bound "
      "{:.1f} %), {} had suspects\n",
      options.pairs, names.size(), red, options.trials, 100 * upper_bound(red, options.trials),
      suspected);
  const std::string& metric = options.policy.metrics.front();
  const auto is_found = [&](const results::Decision& decision, std::size_t row) {
    return results::is_red(decision.rows[row * options.policy.metrics.size()]);
  };
  for (const double share : options.slower) {
    std::vector<int> among_all(names.size());
    std::vector<int> alone(names.size());
    for (int suite = 0; suite < options.trials; ++suite) {
      const auto decision = decide(share, all);
      for (const std::size_t row : rows) {
        among_all[row] += is_found(decision, row) ? 1 : 0;
        const auto of_one = decide(share, [row](std::size_t other) { return other == row; });
        alone[row] += is_found(of_one, row) ? 1 : 0;
      }
    }
    const auto percent = [&](int found) { return 100.0 * found / options.trials; };
    for (const std::size_t row : rows) {
      const double sigma =
          results::robust_sigma(results::effects(metric, real.rows[row].at(metric)));
      fmt::print(
          "slower by {:.0f} %, {}: found in {:.1f} %, or in {:.1f} % when all rows are; "
          "sigma of a pair {:.1f} %\n",
          100 * share, names[row], percent(alone[row]), percent(among_all[row]), 100 * sigma);
    }
  }
}

// What the statistics of a large comparison take: 500 rows of 40 pairs, and the correction for all.
void speed() {
  std::mt19937_64 random(1);
  std::vector<std::vector<results::Pair>> rows(500, std::vector<results::Pair>(40));
  for (auto& row : rows) {
    for (auto& pair : row) pair.head = 0.02 * static_cast<double>(random() >> 11) * 0x1p-53;
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<double> p;
  for (const auto& row : rows) {
    p.push_back(results::compare("row", "real_time_ns", row, 0.01, 0.01).p_regression);
  }
  const std::size_t corrected = results::holm(p).size() + results::benjamini_hochberg(p).size();
  fmt::print("statistics of {} rows of {} pairs: {:.3f} s\n", corrected / 2, rows.front().size(),
             60 * minutes_since(start));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("How often the gate is wrong on this machine.");
  program.require_subcommand(1);
  Options options;
  std::string policy;
  const auto add = [&](const char* name, const char* text, void (*run)(const Options&)) {
    CLI::App* command = program.add_subcommand(name, text);
    command->add_option("path", options.path)->required()->check(CLI::ExistingPath);
    command->add_option("--filter", options.rows);
    command->add_option("--argument", options.arguments);
    command->add_option("--policy", policy);
    command->add_option("--slower", options.slower)->capture_default_str();
    command->add_option("--trials", options.trials)->capture_default_str();
    command->add_option("--pairs", options.pairs)->capture_default_str();
    command->add_option("--seed", options.seed)->capture_default_str();
    command->callback([&, run] {
      if (!policy.empty()) options.policy = results::read_policy(policy);
      for (const auto& row : options.policy.rows) options.rows.push_back(row.text());
      run(options);
    });
  };
  program.add_subcommand("speed", "The statistics of 500 rows of 40 pairs")->callback(speed);
  add("same", "Gates of a build against itself", same);
  add("slower", "Gates of the self-test's subject, slowed", slower);
  add("resample", "Both, drawn from one real series of pairs", resample);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gate_trials: {}\n", error.what());
    return 2;
  }
  return 0;
}
