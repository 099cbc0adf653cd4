#include "results/statistics/rank_test.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <boost/math/distributions/normal.hpp>

namespace results {

std::vector<TieGroup> tie_groups(std::vector<double> first, std::vector<double> second) {
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  std::vector<TieGroup> groups;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < first.size() || j < second.size()) {
    const bool from_first = j == second.size() || (i < first.size() && first[i] < second[j]);
    const double value = from_first ? first[i] : second[j];
    TieGroup group{};
    for (; i < first.size() && first[i] == value; ++i) ++group.first;
    for (; j < second.size() && second[j] == value; ++j) ++group.second;
    groups.push_back(group);
  }
  return groups;
}

double tie_correction(std::span<const TieGroup> groups) {
  double sum = 0;
  for (const TieGroup& group : groups) {
    const auto size = static_cast<double>(group.size());
    sum += size * size * size - size;
  }
  return sum;
}

double Tails::two_sided() const {
  return std::min(1.0, 2 * std::min(less, greater));
}

Tails exact_tails(std::span<const double> probabilities, std::size_t observed) {
  // Each from its own end: one less the other would lose the digits of a small one.
  const auto at = probabilities.begin() + static_cast<std::ptrdiff_t>(observed);
  return {.less = std::min(1.0, std::accumulate(probabilities.begin(), at + 1, 0.0)),
          .greater = std::min(1.0, std::accumulate(at, probabilities.end(), 0.0))};
}

Tails normal_tails(double observed, double mean, double variance) {
  if (variance <= 0) return {.less = 1, .greater = 1};
  const boost::math::normal standard;
  const double deviation = std::sqrt(variance);
  return {.less = cdf(standard, (observed + 0.5 - mean) / deviation),
          .greater = cdf(complement(standard, (observed - 0.5 - mean) / deviation))};
}

}  // namespace results
