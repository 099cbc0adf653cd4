#include "results/history/scan.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "results/history/causes.hpp"
#include "results/history/change_points.hpp"
#include "results/history/common_mode.hpp"
#include "results/history/stretch.hpp"
#include "results/statistics/autocorrelation.hpp"
#include "results/statistics/cusum.hpp"
#include "results/statistics/hodges_lehmann.hpp"
#include "results/statistics/outliers.hpp"
#include "results/statistics/rank_scan.hpp"
#include "results/statistics/ranks.hpp"

namespace results {
namespace {

// A level is told from this many runs next to the change: enough for an interval, and soon enough
// that what else drifts with time matters little.
constexpr std::size_t level_runs = 30;
// Fewer residuals, or fewer stretches, do not tell an autocorrelation worth sharing.
constexpr std::size_t autocorrelation_runs = 20;
constexpr std::size_t autocorrelation_stretches = 10;
constexpr double autocorrelation_significance = 0.05;

// A stretch of one series, on its way through the scan.
struct Candidate {
  std::size_t series;
  Stretch stretch;
  std::vector<double> values;
  std::vector<std::size_t> changes{};  // that the methods agree on
  double lag_one = 0;
  bool independent = true;  // Ljung and Box do not reject it

  [[nodiscard]] std::size_t runs() const { return values.size(); }
};

// The parts of `values` between changes.
std::vector<std::span<const double>> levels_of(std::span<const double> values,
                                               const std::vector<std::size_t>& changes) {
  std::vector<std::span<const double>> levels;
  std::size_t first = 0;
  for (const std::size_t change : changes) {
    levels.push_back(values.subspan(first, change - first));
    first = change;
  }
  levels.push_back(values.subspan(first));
  return levels;
}

double median_of(std::span<const double> values) {
  return median({values.begin(), values.end()});
}

Candidate find_candidates(std::size_t series, const std::vector<Point>& points,
                          const Stretch& stretch, const ScanOptions& options) {
  Candidate found{.series = series, .stretch = stretch, .values = values_of(points, stretch)};
  found.changes = agreed_change_points(found.values, options.window, options.seed);
  std::vector<double> residuals;
  residuals.reserve(found.runs());
  for (const auto level : levels_of(found.values, found.changes)) {
    const double middle = median_of(level);
    for (const double value : level) residuals.push_back(value - middle);
  }
  // Of their ranks: an outlier, or a new level of a few runs, does not decide it.
  const auto ranks = mid_ranks(residuals).ranks;
  found.lag_one = lag_one_autocorrelation(ranks);
  found.independent = ljung_box_p(ranks) >= autocorrelation_significance;
  return found;
}

// What the series of an environment tell together: few runs of one do not tell it well.
std::map<std::string, double> typical_autocorrelations(const std::vector<Series>& series,
                                                       const std::vector<Candidate>& candidates) {
  std::map<std::string, std::vector<double>> of_environment;
  for (const Candidate& candidate : candidates) {
    if (candidate.runs() < autocorrelation_runs) continue;
    of_environment[series[candidate.series].environment].push_back(candidate.lag_one);
  }
  std::map<std::string, double> typical;
  for (const auto& [environment, values] : of_environment) {
    if (values.size() >= autocorrelation_stretches) typical[environment] = median(values);
  }
  return typical;
}

// What a change takes from its series, and the effect between the runs before and after it.
Change describe(const Series& series, const Candidate& candidate, std::size_t position,
                std::span<const double> before, std::span<const double> after) {
  const auto nearest_before = before.last(std::min(before.size(), level_runs));
  const auto nearest_after = after.first(std::min(after.size(), level_runs));
  const auto [effect, interval] = hodges_lehmann_shift(nearest_before, nearest_after);
  const Point* first = &series.points[candidate.stretch.first];
  return {.series = candidate.series,
          .row = series.row,
          .metric = series.metric,
          .environment = series.environment,
          .mechanism = series.mechanism,
          .run = first[position].run,
          .previous_run = first[position - 1].run,
          .runs_before = nearest_before.size(),
          .runs_after = nearest_after.size(),
          .before = median_of(nearest_before),
          .after = median_of(nearest_after),
          .effect = effect,
          .interval = interval,
          .floor = series.floor};
}

// A later level that is no more than the floor beyond the one before the change.
bool came_back(const Change& change, std::span<const std::span<const double>> later) {
  return std::ranges::any_of(later, [&](std::span<const double> level) {
    const double left = median_of(level) - change.before;
    return (change.worse() ? left : -left) <= change.floor;
  });
}

// The level of the latest runs may be changing: what is too young for a confirmation.
void suspect(const Series& series, const Candidate& candidate, std::span<const double> level,
             double inflation, const ScanOptions& options, std::vector<Change>& changes) {
  const auto latest = level.last(std::min(level.size(), options.window));
  auto scores = sequential_scores(latest);
  for (double& score : scores) score /= inflation;
  const double threshold = cusum_threshold(options.runs_to_false_suspect);
  for (int direction = 0; direction < 2; ++direction) {
    const Cusum detector = cusum(scores);
    if (detector.sum >= threshold && detector.start >= rank_scan_minimum_segment) {
      Change change = describe(series, candidate, candidate.runs() - latest.size() + detector.start,
                               latest.first(detector.start), latest.subspan(detector.start));
      change.state = ChangeState::suspect;
      if (std::abs(change.effect) > change.floor) changes.push_back(std::move(change));
    }
    for (double& score : scores) score = -score;
  }
}

void judge(const Series& series, const Candidate& candidate, double inflation,
           const ScanOptions& options, Scan& result) {
  const std::span<const double> values = candidate.values;
  const auto points = confirmed_change_points(values, candidate.changes, options.window,
                                              options.significance, inflation);
  std::vector<std::size_t> positions;
  for (const ChangePoint& point : points) positions.push_back(point.position);
  const auto levels = levels_of(values, positions);
  for (std::size_t i = 0; i < points.size(); ++i) {
    Change change = describe(series, candidate, points[i].position, levels[i], levels[i + 1]);
    change.p = points[i].p;
    const auto later = std::span(levels).subspan(i + 2);
    change.state = came_back(change, later) ? ChangeState::recovered : ChangeState::confirmed;
    result.changes.push_back(std::move(change));
  }
  std::size_t first = candidate.stretch.first;
  for (const auto level : levels) {
    for (const std::size_t outlier : outliers(level)) {
      result.outliers.push_back(
          {.series = candidate.series, .run = series.points[first + outlier].run});
    }
    first += level.size();
  }
  if (candidate.stretch.end == series.points.size()) {
    suspect(series, candidate, levels.back(), inflation, options, result.changes);
  }
}

}  // namespace

std::string_view to_text(ChangeState state) {
  switch (state) {
    case ChangeState::suspect:
      return "suspect";
    case ChangeState::confirmed:
      return "confirmed";
    case ChangeState::recovered:
      return "recovered";
  }
  return "unknown";
}

Scan scan(const std::vector<Series>& series, const ScanOptions& options) {
  std::vector<Series> all = series;
  std::ranges::move(subtract_common_mode(all, options.common_mode_series), std::back_inserter(all));
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const Stretch& stretch : stretches(all[i].points)) {
      candidates.push_back(find_candidates(i, all[i].points, stretch, options));
    }
  }
  Scan result;
  const auto typical = typical_autocorrelations(all, candidates);
  for (const Candidate& candidate : candidates) {
    const Series& of = all[candidate.series];
    const auto shared = typical.find(of.environment);
    const double lag_one = std::max({0.0, shared == typical.end() ? 0.0 : shared->second,
                                     candidate.independent ? 0.0 : candidate.lag_one});
    judge(of, candidate, sum_inflation(lag_one), options, result);
  }
  std::ranges::stable_sort(result.changes, {}, &Change::run);
  adjust_for_series(result.changes, all, options.window);
  for (Change& change : result.changes) {
    change.alert = change.state != ChangeState::suspect &&
                   change.p_among <= options.false_discovery_rate &&
                   change.interval.lower > change.floor;
    if (change.series >= series.size()) change.series = common_mode;
  }
  const auto causes = by_cause(result.changes);
  result.alerts = alerts(result.changes, causes);
  result.symmetry = symmetry(result.changes, causes);
  return result;
}

}  // namespace results
