#include "results/compare/unpaired.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "results/statistics/hodges_lehmann.hpp"
#include "results/statistics/kolmogorov_smirnov.hpp"
#include "results/statistics/mann_whitney.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"

namespace results {
namespace {

std::vector<double> shifted(std::vector<double> values, double by) {
  for (double& value : values) value += by;
  return values;
}

// Of the one most extreme order of the values: 1 / binomial(n + m, n).
double smallest_p(std::size_t n, std::size_t m) {
  double p = 1;
  for (std::size_t i = 1; i <= n; ++i) p *= static_cast<double>(i) / static_cast<double>(m + i);
  return p;
}

}  // namespace

UnpairedTest unpaired_test(const std::vector<double>& base, const std::vector<double>& head,
                           double floor) {
  const HodgesLehmann shift = hodges_lehmann_shift(base, head);
  const MannWhitney above = mann_whitney(head, shifted(base, floor));
  const MannWhitney below = mann_whitney(head, shifted(base, -floor));
  return {.effect = shift.estimate,
          .interval = shift.interval,
          .p_slower = above.p_greater,
          .p_faster = below.p_less,
          .p_unchanged = std::max(above.p_less, below.p_greater),
          .p_shape = kolmogorov_smirnov(base, head).p,
          .p_smallest = smallest_p(base.size(), head.size())};
}

double minimum_detectable_shift(const std::vector<double>& base, const std::vector<double>& head,
                                double floor, double alpha) {
  if (smallest_p(base.size(), head.size()) > alpha) return std::numeric_limits<double>::infinity();
  const auto variance_of_middle = [](const std::vector<double>& values) {
    const double sigma = robust_sigma(values);
    return sigma * sigma / static_cast<double>(values.size());
  };
  // As many differences have the degrees of freedom that two samples have, and this deviation gives
  // their mean the variance of the difference of two means.
  const std::size_t n = base.size() + head.size() - 1;
  const double variance = variance_of_middle(base) + variance_of_middle(head);
  const double sigma = std::sqrt(static_cast<double>(n) * variance);
  return floor + minimum_detectable_effect(sigma, n, {.alpha = alpha, .power = 0.9});
}

}  // namespace results
