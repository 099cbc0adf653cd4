#include "results/statistics/kolmogorov_smirnov.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "results/statistics/finite.hpp"
#include "results/statistics/rank_test.hpp"

namespace results {
namespace {

constexpr std::size_t exact_up_to = 10'000'000;  // steps

// Sizes of the two samples. Distances are counted in whole numbers, so that equal ones are equal.
struct Sizes {
  std::size_t first;
  std::size_t second;

  // Of the two empirical distributions, times first * second, above k first and l second values.
  [[nodiscard]] std::size_t distance(std::size_t k, std::size_t l) const {
    const std::size_t a = k * second;
    const std::size_t b = l * first;
    return a > b ? a - b : b - a;
  }
};

// How probable it is that a random order of the pooled values comes as far apart as `distance`,
// which is looked at only between groups of equal values. Adds up what has come that far, so a
// small probability keeps its digits.
double exact_p(const std::vector<TieGroup>& groups, const Sizes& sizes, std::size_t distance) {
  const std::size_t all = sizes.first + sizes.second;
  std::vector<double> within(sizes.first +
                             1);  // P(k first values so far, and never that far apart)
  within[0] = 1;
  double apart = 0;
  std::size_t pooled = 0;
  for (const TieGroup& group : groups) {
    for (std::size_t each = 0; each < group.size(); ++each, ++pooled) {
      const auto left = static_cast<double>(all - pooled);
      const std::size_t least = pooled < sizes.second ? 0 : pooled + 1 - sizes.second;
      for (std::size_t k = std::min(pooled + 1, sizes.first) + 1; k-- > least;) {
        within[k] *= static_cast<double>(sizes.second + k - pooled) / left;
        if (k > 0) within[k] += within[k - 1] * static_cast<double>(sizes.first - k + 1) / left;
      }
    }
    for (std::size_t k = 0; k <= std::min(pooled, sizes.first); ++k) {
      const std::size_t l = pooled - k;
      if (l > sizes.second || sizes.distance(k, l) < distance) continue;
      apart += within[k];
      within[k] = 0;
    }
  }
  return std::min(1.0, apart);
}

// P(K >= x) of Kolmogorov's limiting distribution.
double limiting_p(double x) {
  if (x < 0.2) return 1;  // but for one part in 10^12, and the series would need ever more terms
  double p = 0;
  double sign = 1;
  for (double j = 1; j <= 30; ++j, sign = -sign) p += 2 * sign * std::exp(-2 * j * j * x * x);
  return std::clamp(p, 0.0, 1.0);
}

}  // namespace

KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> first,
                                     std::span<const double> second) {
  require_finite(first, "kolmogorov_smirnov");
  require_finite(second, "kolmogorov_smirnov");
  if (first.empty() || second.empty()) return {.d = 0, .exact = true, .p = 1};
  const Sizes sizes{first.size(), second.size()};
  const std::vector<TieGroup> groups =
      tie_groups({first.begin(), first.end()}, {second.begin(), second.end()});
  std::size_t distance = 0;
  std::size_t k = 0;
  std::size_t l = 0;
  for (const TieGroup& group : groups) {
    k += group.first;
    l += group.second;
    distance = std::max(distance, sizes.distance(k, l));
  }
  const auto m = static_cast<double>(first.size());
  const auto n = static_cast<double>(second.size());
  const double d = static_cast<double>(distance) / (m * n);
  const bool exact = (first.size() + second.size()) * first.size() <= exact_up_to;
  return {
      .d = d,
      .exact = exact,
      .p = exact ? exact_p(groups, sizes, distance) : limiting_p(std::sqrt(m * n / (m + n)) * d)};
}

}  // namespace results
