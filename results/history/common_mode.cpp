#include "results/history/common_mode.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "results/history/stretch.hpp"
#include "results/statistics/median.hpp"

namespace results {
namespace {

struct Together {
  std::vector<double> deviations;  // of each row that the run has
  std::size_t beginnings = 0;      // of rows that begin another segment with this run
};

using Runs = std::map<std::int64_t, Together>;

void add(const Series& series, Runs& runs) {
  for (const Stretch& stretch : stretches(series.points)) {
    const double level = median(values_of(series.points, stretch));
    for (std::size_t i = stretch.first; i < stretch.end; ++i) {
      Together& run = runs[series.points[i].run];
      run.deviations.push_back(series.points[i].value - level);
      if (i == stretch.first) ++run.beginnings;
    }
  }
}

// The common mode, which begins another segment where most of the rows do.
std::vector<Point> medians(Runs& runs, std::size_t fewest) {
  std::vector<Point> points;
  int segment = 0;
  for (auto& [run, together] : runs) {
    if (2 * together.beginnings > together.deviations.size()) ++segment;
    if (together.deviations.size() < fewest) continue;
    points.push_back(
        {.run = run, .value = median(std::move(together.deviations)), .segment = segment});
  }
  return points;
}

}  // namespace

std::vector<Series> subtract_common_mode(std::vector<Series>& series, std::size_t fewest) {
  std::map<std::pair<std::string, std::string>, std::vector<Series*>> suites;
  for (Series& one : series) {
    if (!one.has_reference) suites[{one.environment, one.metric}].push_back(&one);
  }
  std::vector<Series> common;
  for (const auto& [key, suite] : suites) {
    if (suite.size() < fewest) continue;
    Runs runs;
    for (const Series* one : suite) add(*one, runs);
    const auto points = medians(runs, fewest);
    for (Series* one : suite) {
      auto point = points.begin();
      for (auto& [run, value, segment] : one->points) {
        point = std::ranges::lower_bound(point, points.end(), run, {}, &Point::run);
        if (point == points.end()) break;
        if (point->run == run) value -= point->value;
      }
    }
    Series& mode = common.emplace_back();
    mode.environment = key.first;
    mode.metric = key.second;
    mode.points = points;
  }
  return common;
}

}  // namespace results
