#include "results/compare/compare_builds.hpp"

#include <numeric>

#include <fmt/format.h>

#include "results/compare/judge.hpp"
#include "results/statistics/multiple_testing.hpp"

namespace results {
namespace {

void adjust(std::vector<Comparison>& rows, double Comparison::*p) {
  std::vector<double> values;
  for (const Comparison& row : rows) values.push_back(row.*p);
  const std::vector<double> adjusted = benjamini_hochberg(values);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].*p = adjusted[i];
}

}  // namespace

BuildsComparison compare_builds(const CompareBuildsOptions& options) {
  using Clock = std::chrono::steady_clock;
  StopSignals stop;
  Progress progress(stderr);
  Subjects subjects = find_subjects(options.builds, stop, options.pairs.silence);
  BuildsComparison comparison{.rows = {}, .discarded = {}, .notes = std::move(subjects.notes)};
  for (const std::string& name : subjects.added) {
    comparison.notes.push_back(fmt::format("only head has {}", name));
  }
  std::vector<std::string> names;
  for (const Subject& subject : subjects.rows) names.push_back(subject.name);
  std::vector<std::size_t> numbers(names.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  PairMeasurement measurement(std::move(subjects.rows), options.pairs, stop, progress);
  const Paired paired = measurement.measure(
      numbers, options.blocks,
      Clock::now() + std::chrono::round<Clock::duration>(
                         std::chrono::duration<double, std::ratio<60>>(options.budget_minutes)),
      "compare");
  comparison.discarded = paired.discarded;
  comparison.unfit = paired.unfit;
  if (!paired.complete) {
    comparison.notes.push_back(fmt::format(
        "the budget of {} minutes ran out: rows have fewer blocks", options.budget_minutes));
  }

  std::vector<Comparison> judged;
  std::vector<Comparison> broken = std::move(subjects.missing);
  for (const std::size_t row : numbers) {
    for (const std::string& metric : options.pairs.metrics) {
      const auto pairs = paired.rows[row].find(metric);
      if (pairs != paired.rows[row].end() && paired.failures[row].empty()) {
        judged.push_back(compare(names[row], metric, pairs->second, options.floor, options.alpha));
        continue;
      }
      const bool failed = !paired.failures[row].empty();
      broken.push_back(
          without_values(names[row], metric, failed ? Verdict::failed : Verdict::missing,
                         failed ? paired.failures[row] : "no launch reports this metric"));
    }
  }
  adjust(judged, &Comparison::p_regression);
  adjust(judged, &Comparison::p_improvement);
  for (Comparison& row : judged) give_verdict(row, options.alpha);
  comparison.rows = std::move(judged);
  std::ranges::move(broken, std::back_inserter(comparison.rows));
  return comparison;
}

}  // namespace results
