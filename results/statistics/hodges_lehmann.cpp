#include "results/statistics/hodges_lehmann.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "results/statistics/finite.hpp"
#include "results/statistics/mann_whitney.hpp"
#include "results/statistics/signed_rank.hpp"

namespace results {
namespace {

void require_sample(std::span<const double> values, std::string_view function) {
  if (values.empty()) throw std::invalid_argument(fmt::format("{}: no values", function));
  require_finite(values, function);
}

// The k-th smallest, from 1.
double order_statistic(std::vector<double>& values, std::size_t k) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// The test statistic at a location is how many of the averages, or differences, lie above it. So
// the location is not rejected between the k-th smallest and the k-th greatest, if k - 1 is the
// greatest value of the statistic in the lower tail.
HodgesLehmann invert(std::vector<double> candidates, const std::vector<double>& cumulative,
                     double confidence) {
  if (!(confidence > 0 && confidence < 1)) {
    throw std::invalid_argument(
        fmt::format("a confidence of {} is none; it is above 0 and below 1", confidence));
  }
  const std::size_t count = candidates.size();
  std::size_t k = 1;
  while (2 * k < count && 2 * cumulative[k] <= 1 - confidence) ++k;
  const double middle = order_statistic(candidates, (count + 1) / 2);
  const double next = order_statistic(candidates, count / 2 + 1);
  return {.estimate = middle + (next - middle) / 2,
          .interval = {.lower = order_statistic(candidates, k),
                       .upper = order_statistic(candidates, count + 1 - k),
                       .coverage = 1 - 2 * cumulative[k - 1]}};
}

}  // namespace

HodgesLehmann hodges_lehmann(std::span<const double> values, double confidence) {
  require_sample(values, "hodges_lehmann");
  std::vector<double> averages;
  averages.reserve(values.size() * (values.size() + 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i; j < values.size(); ++j) {
      averages.push_back((values[i] + values[j]) / 2);
    }
  }
  return invert(std::move(averages), signed_rank_null(values.size()), confidence);
}

HodgesLehmann hodges_lehmann_shift(std::span<const double> base, std::span<const double> head,
                                   double confidence) {
  require_sample(base, "hodges_lehmann_shift");
  require_sample(head, "hodges_lehmann_shift");
  std::vector<double> differences;
  differences.reserve(base.size() * head.size());
  for (const double of_base : base) {
    for (const double of_head : head) differences.push_back(of_head - of_base);
  }
  return invert(std::move(differences), mann_whitney_null(base.size(), head.size()), confidence);
}

}  // namespace results
