#include "results/statistics/cusum.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/normal.hpp>

namespace results {

Cusum cusum(std::span<const double> scores) {
  Cusum detector;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (detector.sum == 0) detector.start = i;
    detector.sum = std::max(0.0, detector.sum + scores[i] - cusum_allowance);
  }
  return detector;
}

double cusum_threshold(double run_length) {
  const auto length_at = [](double threshold) {
    const double exponent = 2 * cusum_allowance * (threshold + 1.166);
    return (std::expm1(exponent) - exponent) / (2 * cusum_allowance * cusum_allowance);
  };
  double lower = 0;
  double upper = 1;
  while (length_at(upper) < run_length) upper *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (lower + upper) / 2;
    (length_at(middle) < run_length ? lower : upper) = middle;
  }
  return upper;
}

std::vector<double> sequential_scores(std::span<const double> values) {
  const boost::math::normal normal;
  std::vector<double> sorted;
  std::vector<double> scores;
  for (const double value : values) {
    const auto [below, above] = std::equal_range(sorted.begin(), sorted.end(), value);
    // Of the values so far and this one, in units of half a rank.
    const auto ranks = static_cast<double>((below - sorted.begin()) + (above - sorted.begin()) + 1);
    sorted.insert(above, value);
    scores.push_back(quantile(normal, ranks / (2 * static_cast<double>(sorted.size()))));
  }
  return scores;
}

}  // namespace results
