#include "results/history/causes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include <boost/math/distributions/binomial.hpp>

#include "results/statistics/multiple_testing.hpp"

namespace results {
namespace {

constexpr std::int64_t same_start = 2;  // runs
constexpr double bias_significance = 0.01;

}  // namespace

void adjust_for_series(std::vector<Change>& changes, const std::vector<Series>& series,
                       std::size_t window) {
  const auto family_of = [&](std::int64_t run) { return run / static_cast<std::int64_t>(window); };
  std::map<std::int64_t, std::vector<std::size_t>> families;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].state != ChangeState::suspect) families[family_of(changes[i].run)].push_back(i);
  }
  for (const auto& [key, members] : families) {
    const std::int64_t family = key;
    std::vector<double> p_values;
    std::vector<bool> changed(series.size());
    for (const std::size_t i : members) {
      p_values.push_back(changes[i].p);
      changed[changes[i].series] = true;
    }
    for (std::size_t i = 0; i < series.size(); ++i) {
      const auto& points = series[i].points;
      const auto within = std::ranges::partition_point(
          points, [&](const Point& point) { return family_of(point.run) < family; });
      const bool present = within != points.end() && family_of(within->run) == family;
      if (present && !changed[i]) p_values.push_back(1);
    }
    const auto adjusted = benjamini_hochberg(p_values);
    for (std::size_t i = 0; i < members.size(); ++i) changes[members[i]].p_among = adjusted[i];
  }
}

std::vector<Cause> by_cause(const std::vector<Change>& changes) {
  std::map<std::tuple<std::string, std::string, bool>, std::size_t> latest;
  std::vector<Cause> causes;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    if (change.state == ChangeState::suspect) continue;
    const auto [at, is_first] =
        latest.try_emplace({change.environment, change.mechanism, change.worse()}, causes.size());
    if (is_first || change.run - changes[causes[at->second].front()].run > same_start) {
      at->second = causes.size();
      causes.emplace_back();
    }
    causes[at->second].push_back(i);
  }
  for (Cause& cause : causes) {
    std::ranges::stable_sort(cause, std::ranges::greater{},
                             [&](std::size_t i) { return std::abs(changes[i].effect); });
  }
  return causes;
}

std::vector<Alert> alerts(const std::vector<Change>& changes, const std::vector<Cause>& causes) {
  std::vector<Alert> found;
  for (const Cause& cause : causes) {
    const auto lead = std::ranges::find_if(cause, [&](std::size_t i) { return changes[i].alert; });
    if (lead == cause.end()) continue;
    Alert alert{.lead = *lead};
    std::ranges::copy_if(cause, std::back_inserter(alert.also),
                         [&](std::size_t i) { return i != alert.lead; });
    found.push_back(std::move(alert));
  }
  return found;
}

Symmetry symmetry(const std::vector<Change>& changes, const std::vector<Cause>& causes) {
  Symmetry found;
  for (const Cause& cause : causes) {
    ++(changes[cause.front()].worse() ? found.regressions : found.improvements);
  }
  const std::size_t all = found.regressions + found.improvements;
  if (all == 0) return found;
  const boost::math::binomial fair(static_cast<double>(all), 0.5);
  const auto rarer = static_cast<double>(std::min(found.regressions, found.improvements));
  found.p = std::min(1.0, 2 * cdf(fair, rarer));
  found.biased = found.p < bias_significance;
  return found;
}

}  // namespace results
