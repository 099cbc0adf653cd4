#include "results/compare/files.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/compare/unpaired.hpp"
#include "results/environment_key.hpp"
#include "results/failure.hpp"
#include "results/statistics/bootstrap.hpp"
#include "results/statistics/multiple_testing.hpp"
#include "results/units.hpp"

namespace results {
namespace {

// What a file says, one value for each launch.
struct Values {
  std::vector<std::string> rows;  // each once, in the order of the file
  std::map<std::string, std::map<std::string, std::vector<double>, std::less<>>> by_row;

  // Empty where the row or the metric is not there.
  [[nodiscard]] std::vector<double> of(const std::string& row, const std::string& metric) const {
    const auto found = by_row.find(row);
    if (found == by_row.end()) return {};
    const auto values = found->second.find(metric);
    return values == found->second.end() ? std::vector<double>() : values->second;
  }
};

Values values_of(const Run& run, const std::regex& filter) {
  Values values;
  std::map<std::string, std::map<std::string, std::map<int, std::vector<double>>>> launches;
  for (const Row& row : run.rows) {
    const std::string name = row.name.text();
    if (!std::regex_search(name, filter)) continue;
    if (!launches.contains(name)) values.rows.push_back(name);
    auto& figures = launches[name];
    for (const auto& [metric, value] : row.figures) figures[metric][row.launch].push_back(value);
  }
  for (const auto& [name, figures] : launches) {
    for (const auto& [metric, by_launch] : figures) {
      auto& list = values.by_row[name][metric];
      for (const auto& launch : by_launch) list.push_back(median(launch.second));
    }
  }
  return values;
}

std::regex expression(const std::string& filter) {
  try {
    return std::regex(filter);
  } catch (const std::regex_error& error) {
    throw Failure(Exit::usage,
                  fmt::format("--filter '{}' is no expression: {}", filter, error.what()));
  }
}

// Logarithms that are greater where the figure is worse.
std::vector<double> costs(const std::vector<double>& values, const std::string& metric) {
  std::vector<double> logs;
  const double sign = higher_is_better(metric) ? -1 : 1;
  for (const double value : values) logs.push_back(sign * std::log(value));
  return logs;
}

// A row that both sides have, before anything is corrected.
struct Tested {
  std::size_t at;  // in FilesComparison::rows
  std::vector<double> base;
  std::vector<double> head;
  UnpairedTest test;

  // Both directions were looked at.
  [[nodiscard]] double p_differs() const {
    return std::min(1.0, 2 * std::min(test.p_slower, test.p_faster));
  }
  [[nodiscard]] double p_differs_smallest() const { return std::min(1.0, 2 * test.p_smallest); }
};

class FilesSession {
 public:
  FilesSession(const Run& base, const Run& head, const FilesOptions& options)
      : base_run_(base),
        head_run_(head),
        options_(options),
        base_(values_of(base, expression(options.filter))),
        head_(values_of(head, expression(options.filter))) {}

  FilesComparison compare() {
    require_one_kind();
    require_one_environment();
    for (const std::string& metric : options_.metrics) add_metric(metric);
    if (tested_.empty()) {
      throw Failure(
          Exit::usage,
          fmt::format("{} and {} have no row in common that has values of "
                      "{}{}",
                      base_run_.file, head_run_.file, fmt::join(options_.metrics, ", "),
                      options_.filter.empty() ? "" : " and matches '" + options_.filter + "'"));
    }
    decide();
    tell();
    return std::move(result_);
  }

 private:
  void require_one_kind() const {
    if (base_run_.is_one_launch == head_run_.is_one_launch) return;
    const bool base_is = base_run_.is_one_launch;
    throw Failure(
        Exit::usage,
        fmt::format("{} is one launch and {} a run of several: what varies in them is not "
                    "the same; compare files of one kind",
                    (base_is ? base_run_ : head_run_).file,
                    (base_is ? head_run_ : base_run_).file));
  }

  void require_one_environment() {
    const EnvironmentKey base = environment_key(base_run_.about);
    const std::vector<std::string> differing = differences(base, environment_key(head_run_.about));
    if (!differing.empty() && !options_.allow_other_machine) {
      throw Failure(Exit::inconclusive,
                    fmt::format("{} and {} are of different environments: {}; to compare them all "
                                "the same: --allow-other-machine",
                                base_run_.file, head_run_.file, fmt::join(differing, "; ")));
    }
    if (!differing.empty()) {
      note(fmt::format("the environments differ: {}", fmt::join(differing, "; ")));
    }
    if (!base.fields.contains("cpu")) {
      note("the files do not tell on which processor they were measured");
    }
  }

  void add_metric(const std::string& metric) {
    std::set<std::string> seen;
    for (const Values* side : {&base_, &head_}) {
      for (const std::string& row : side->rows) {
        if (seen.insert(row).second) add(row, metric);
      }
    }
  }

  // A row that has the metric on neither side is not about it.
  void add(const std::string& row, const std::string& metric) {
    std::vector<double> base = base_.of(row, metric), head = head_.of(row, metric);
    if (base.empty() && head.empty()) return;
    Comparison& comparison = result_.rows.emplace_back();
    comparison.row = row;
    comparison.metric = metric;
    comparison.floor = options_.floor;
    if (base.empty() || head.empty()) {
      comparison.verdict = Verdict::missing;
      comparison.reason = fmt::format("{} does not have it", base.empty() ? "base" : "head");
      return;
    }
    comparison.base = median(base);
    comparison.head = median(head);
    comparison.n = std::min(base.size(), head.size());
    const auto not_positive = [](double value) { return value <= 0; };
    if (std::any_of(base.begin(), base.end(), not_positive) ||
        std::any_of(head.begin(), head.end(), not_positive)) {
      comparison.reason = "a value is not above 0, and has no logarithm";
      comparison.n = 0;
      return;
    }
    const UnpairedTest test =
        unpaired_test(costs(base, metric), costs(head, metric), options_.floor);
    comparison.effect = test.effect;
    comparison.interval = test.interval;
    tested_.push_back({.at = result_.rows.size() - 1,
                       .base = std::move(base),
                       .head = std::move(head),
                       .test = test});
  }

  // Of every row that was tested.
  template <class PValue>
  [[nodiscard]] std::vector<double> corrected(PValue p_value) const {
    std::vector<double> p;
    for (const Tested& row : tested_) p.push_back(p_value(row));
    switch (options_.correction) {
      case Correction::holm:
        return holm(p);
      case Correction::bh:
        return benjamini_hochberg(p);
      case Correction::none:
        break;
    }
    return p;
  }

  void decide() {
    const std::vector<double> differs = corrected(std::mem_fn(&Tested::p_differs));
    const std::vector<double> unchanged =
        corrected([](const Tested& row) { return row.test.p_unchanged; });
    // What a row that differs alone would have to reach.
    const double alone = options_.correction == Correction::none
                             ? options_.alpha
                             : options_.alpha / static_cast<double>(tested_.size());
    for (std::size_t i = 0; i < tested_.size(); ++i) {
      const Tested& row = tested_[i];
      Comparison& comparison = result_.rows[row.at];
      const bool slower = row.test.p_slower <= row.test.p_faster;
      (slower ? comparison.p_regression : comparison.p_improvement) = differs[i];
      comparison.p_unchanged = unchanged[i];
      comparison.minimum_detectable_effect =
          minimum_detectable_shift(costs(row.base, comparison.metric),
                                   costs(row.head, comparison.metric), options_.floor, alone / 2);
      if (differs[i] <= options_.alpha) {
        comparison.verdict = Verdict::differs;
      } else if (unchanged[i] <= options_.alpha) {
        comparison.verdict = Verdict::unchanged;
      }
    }
  }

  void tell() {
    tell_of_method();
    tell_of_shapes();
    tell_of_bootstrap();
    for (const Run* run : {&base_run_, &head_run_}) {
      // Each repetition fails anew.
      for (const std::string& failed :
           std::set<std::string>(run->failed.begin(), run->failed.end())) {
        note(fmt::format("failed in {}: {}", run->file, failed));
      }
    }
  }

  void tell_of_method() {
    if (base_run_.is_one_launch) {
      note(
          "each file is one launch, and its repetitions are the values: how launches vary is in no "
          "interval");
    }
    const std::vector<double> best = corrected(std::mem_fn(&Tested::p_differs_smallest));
    const double smallest = *std::min_element(best.begin(), best.end());
    if (smallest > options_.alpha) {
      note(fmt::format(
          "no row could differ: with so few values p is at least {:.2g}, above {}; "
          "measure more {}",
          smallest, options_.alpha, base_run_.is_one_launch ? "repetitions" : "launches"));
    }
    const bool some_differ =
        std::any_of(result_.rows.begin(), result_.rows.end(),
                    [](const Comparison& row) { return row.verdict == Verdict::differs; });
    if (some_differ) {
      note(
          "measured at different times: that they differ is shown, not why; for that, measure two "
          "builds in turn");
    }
  }

  void tell_of_shapes() {
    const std::vector<double> shape = corrected([](const Tested& row) { return row.test.p_shape; });
    for (std::size_t i = 0; i < tested_.size(); ++i) {
      const Comparison& row = result_.rows[tested_[i].at];
      if (shape[i] > options_.alpha || row.verdict == Verdict::differs) continue;
      note(
          fmt::format("{} {}: its middle may be the same, its shape is not (Kolmogorov and "
                      "Smirnov, p {:.2g})",
                      row.row, row.metric, shape[i]));
    }
  }

  // Another method, with other assumptions, that finds nothing is worth a word.
  void tell_of_bootstrap() {
    for (const Tested& tested : tested_) {
      const Comparison& row = result_.rows[tested.at];
      if (row.verdict != Verdict::differs) continue;
      const bool rate = higher_is_better(row.metric);
      const Interval ratio = ratio_of_medians_interval(rate ? tested.head : tested.base,
                                                       rate ? tested.base : tested.head);
      if (ratio.lower > 1 || ratio.upper < 1) continue;
      note(fmt::format("{} {}: a bootstrap of the medians does not tell them apart ({} to {})",
                       row.row, row.metric, percent_text(std::log(ratio.lower)),
                       percent_text(std::log(ratio.upper))));
    }
  }

  void note(std::string line) { result_.notes.push_back(std::move(line)); }

  const Run& base_run_;
  const Run& head_run_;
  const FilesOptions& options_;
  Values base_;
  Values head_;
  std::vector<Tested> tested_;
  FilesComparison result_;
};

}  // namespace

FilesComparison compare_files(const Run& base, const Run& head, const FilesOptions& options) {
  return FilesSession(base, head, options).compare();
}

}  // namespace results
