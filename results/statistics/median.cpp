#include "results/statistics/median.hpp"

#include <algorithm>
#include <cmath>

namespace results {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Interval median_interval(std::vector<double> values, double confidence) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  // P(Bin(n, 1/2) < 1), then < 2, ... for as long as twice that leaves enough.
  double choices = std::ldexp(1.0, -static_cast<int>(n));  // binomial(n, k) / 2^n
  double below = choices;
  std::size_t k = 1;
  while (2 * k < n) {
    choices *= static_cast<double>(n - k + 1) / static_cast<double>(k);
    if (2 * (below + choices) > 1 - confidence) break;
    below += choices;
    ++k;
  }
  return {.lower = values[k - 1], .upper = values[n - k], .coverage = 1 - 2 * below};
}

double Summary::spread() const {
  if (median == 0) return 0;
  return std::max(interval.upper - median, median - interval.lower) / std::abs(median);
}

Summary summarize(const std::vector<double>& per_launch) {
  return {.median = median(per_launch),
          .interval = median_interval(per_launch),
          .launches = per_launch.size()};
}

}  // namespace results
