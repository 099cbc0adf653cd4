#include "results/statistics/paired_test.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>

#include "results/statistics/finite.hpp"
#include "results/statistics/hodges_lehmann.hpp"
#include "results/statistics/signed_rank.hpp"

namespace results {

PairedTest paired_test(std::span<const double> differences, double floor, TestDesign design) {
  if (differences.empty() || differences.size() > 1000) {
    throw std::invalid_argument(
        fmt::format("paired_test: {} differences; it takes 1 to 1000", differences.size()));
  }
  if (!(floor >= 0) || std::isinf(floor)) {
    throw std::invalid_argument(
        fmt::format("paired_test: a floor of {}; it is finite, and 0 or more", floor));
  }
  require_finite(differences, "paired_test");
  const SignedRank beside_slower = signed_rank(differences, floor);
  const SignedRank beside_faster = signed_rank(differences, -floor);
  return {
      .n = differences.size(),
      .ties = static_cast<std::size_t>(std::count(differences.begin(), differences.end(), 0.0)),
      .floor = floor,
      .effect = hodges_lehmann(differences).estimate,
      .interval = median_interval({differences.begin(), differences.end()}),
      .p_regression = beside_slower.p_greater,
      .p_improvement = beside_faster.p_less,
      .p_unchanged = std::max(beside_slower.p_less, beside_faster.p_greater),
      .minimum_detectable_effect =
          floor + minimum_detectable_effect(robust_sigma(differences), differences.size(), design)};
}

}  // namespace results
