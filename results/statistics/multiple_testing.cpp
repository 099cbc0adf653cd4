#include "results/statistics/multiple_testing.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <stdexcept>

#include <fmt/format.h>

namespace results {
namespace {

// Where the p-values are, from the least to the greatest.
std::vector<std::size_t> ascending(std::span<const double> p_values) {
  for (const double p : p_values) {
    if (p >= 0 && p <= 1) continue;
    throw std::invalid_argument(fmt::format("a p-value of {} is none; it is from 0 to 1", p));
  }
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  return order;
}

// Steps up from the greatest p: one is never adjusted to more than those above it.
std::vector<double> false_discovery_rate(std::span<const double> p_values, double factor) {
  const std::vector<std::size_t> order = ascending(p_values);
  std::vector<double> adjusted(p_values.size());
  const auto m = static_cast<double>(p_values.size());
  double least = 1;
  for (std::size_t rank = order.size(); rank > 0; --rank) {
    const std::size_t at = order[rank - 1];
    least = std::min(least, p_values[at] * factor * m / static_cast<double>(rank));
    adjusted[at] = least;
  }
  return adjusted;
}

}  // namespace

std::vector<double> holm(std::span<const double> p_values) {
  const std::vector<std::size_t> order = ascending(p_values);
  std::vector<double> adjusted(p_values.size());
  double greatest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto left = static_cast<double>(order.size() - rank);
    greatest = std::max(greatest, std::min(1.0, p_values[order[rank]] * left));
    adjusted[order[rank]] = greatest;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  return false_discovery_rate(p_values, 1);
}

std::vector<double> benjamini_yekutieli(std::span<const double> p_values) {
  double harmonic = 0;
  for (std::size_t i = 1; i <= p_values.size(); ++i) harmonic += 1 / static_cast<double>(i);
  return false_discovery_rate(p_values, harmonic);
}

}  // namespace results
