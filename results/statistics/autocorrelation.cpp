#include "results/statistics/autocorrelation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include <boost/math/distributions/chi_squared.hpp>

namespace results {
namespace {

bool says_nothing(std::span<const double> values) {
  return values.size() < 4 ||
         std::ranges::all_of(values, [&](double value) { return value == values.front(); });
}

double sample_autocorrelation(std::span<const double> values) {
  const double mean =
      std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  double products = 0;
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    squares += (values[i] - mean) * (values[i] - mean);
    if (i > 0) products += (values[i] - mean) * (values[i - 1] - mean);
  }
  return products / squares;
}

}  // namespace

double lag_one_autocorrelation(std::span<const double> values) {
  if (says_nothing(values)) return 0;
  const double r = sample_autocorrelation(values);
  return std::clamp(r + (1 + 4 * r) / static_cast<double>(values.size()), -0.99, 0.99);
}

double ljung_box_p(std::span<const double> values) {
  if (says_nothing(values)) return 1;
  const auto n = static_cast<double>(values.size());
  const double r = sample_autocorrelation(values);
  // boost::math::statistics::ljung_box does so for more lags, and needs oneTBB to be linked.
  return cdf(complement(boost::math::chi_squared(1), n * (n + 2) * r * r / (n - 1)));
}

double sum_inflation(double lag_one) {
  return std::sqrt((1 + lag_one) / (1 - lag_one));
}

}  // namespace results
