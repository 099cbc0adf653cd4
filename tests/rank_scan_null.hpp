// The distribution of the rank scan when nothing changed, by simulation: shared by the program that
// writes the table and the test that checks it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "results/statistics/rank_scan.hpp"

namespace rank_scan_null {

// Statistics of `samples` random orders of the ranks 1 to n. Written apart from the code that it
// checks, and without the standard library's distributions, whose numbers differ between libraries.
inline std::vector<double> statistics(std::size_t n, std::size_t samples, std::uint64_t seed) {
  const std::size_t m = results::rank_scan_minimum_segment;
  std::mt19937_64 random(seed);
  std::vector<double> ranks(n);
  for (std::size_t i = 0; i < n; ++i) ranks[i] = static_cast<double>(i + 1);
  std::vector<double> mean(n);
  std::vector<double> inverse_deviation(n);
  for (std::size_t t = m; t + m <= n; ++t) {
    const auto before = static_cast<double>(t);
    const auto all = static_cast<double>(n);
    mean[t] = before * (all + 1) / 2;
    inverse_deviation[t] = 1 / std::sqrt(before * (all - before) * (all + 1) / 12);
  }
  std::vector<double> found(samples);
  for (double& largest : found) {
    double sum = 0;
    largest = 0;
    for (std::size_t t = 0; t + m <= n; ++t) {
      if (t >= m) largest = std::max(largest, std::abs(sum - mean[t]) * inverse_deviation[t]);
      // The next of a random order: the upper half of a product is below n - t (Lemire 2019,
      // without his correction of a bias that is below 2^-20 here).
      const std::uint64_t pick = ((random() >> 32U) * (n - t)) >> 32U;
      std::swap(ranks[t], ranks[t + pick]);
      sum += ranks[t];
    }
  }
  return found;
}

// The least of the values, rounded down to 1e-4, that at most a share of `significance` reaches.
inline double critical_value(std::vector<double>& values, double significance) {
  const auto allowed = static_cast<std::size_t>(significance * static_cast<double>(values.size()));
  const auto beyond = values.begin() + static_cast<std::ptrdiff_t>(allowed);
  std::nth_element(values.begin(), beyond, values.end(), std::greater<>{});
  // Ties with the first value that is too many are too many as well.
  double least = std::numeric_limits<double>::infinity();
  for (auto value = values.begin(); value != beyond; ++value) {
    if (*value > *beyond + 1e-9) least = std::min(least, *value);
  }
  return std::floor(least * 1e4) / 1e4;
}

inline constexpr std::size_t table_samples = 4'000'000;

}  // namespace rank_scan_null
