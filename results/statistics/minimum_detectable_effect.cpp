#include "results/statistics/minimum_detectable_effect.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

#include "results/statistics/finite.hpp"
#include "results/statistics/median.hpp"

namespace results {
namespace {

constexpr double signed_rank_efficiency = 3 / std::numbers::pi;

void require(bool holds, double value, const char* demand) {
  if (!holds) throw std::invalid_argument(fmt::format("{}, but is {}", demand, value));
}

double standard_deviation(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1));
}

void require(const TestDesign& design) {
  require(design.alpha > 0 && design.alpha < 1, design.alpha, "alpha has to be in (0, 1)");
  require(design.power > 0 && design.power < 1, design.power, "power has to be in (0, 1)");
}

// How many standard errors lie between the hypothesis and what is seen with the power asked for.
template <class Distribution>
double standard_errors(const Distribution& of_mean, const TestDesign& design) {
  return std::max(0.0,
                  quantile(complement(of_mean, design.alpha)) + quantile(of_mean, design.power));
}

// From how many pairs on the clearest outcome, p = 2^-n, is at most alpha; two have a deviation.
double least_pairs(double alpha) {
  return std::max(2.0, std::ceil(-std::log2(alpha)));
}

}  // namespace

double robust_sigma(std::span<const double> values) {
  require_finite(values, "robust_sigma");
  if (values.size() < 2) return 0;
  std::vector<double> distances(values.begin(), values.end());
  const double middle = median(distances);
  for (double& distance : distances) distance = std::abs(distance - middle);
  const double deviation = median(std::move(distances));
  if (deviation == 0) return standard_deviation(values);
  return deviation / quantile(boost::math::normal(), 0.75);
}

double minimum_detectable_effect(double sigma, std::size_t n, TestDesign design) {
  require(sigma >= 0, sigma, "a standard deviation has to be 0 or more");
  require(design);
  const auto pairs = static_cast<double>(n);
  if (pairs < least_pairs(design.alpha)) return std::numeric_limits<double>::infinity();
  return standard_errors(boost::math::students_t(pairs - 1), design) * sigma /
         std::sqrt(signed_rank_efficiency * pairs);
}

std::size_t pairs_needed(double sigma, double effect, TestDesign design) {
  require(sigma >= 0, sigma, "a standard deviation has to be 0 or more");
  require(effect > 0, effect, "an effect that is looked for has to be above 0");
  require(design);
  // By the normal distribution; Student's then takes a few more.
  const double ratio = standard_errors(boost::math::normal(), design) * sigma / effect;
  const double fewest =
      std::max(std::floor(ratio * ratio / signed_rank_efficiency), least_pairs(design.alpha));
  require(fewest < 1e12, fewest, "the number of pairs has to be below 10^12");
  auto pairs = static_cast<std::size_t>(fewest);
  while (minimum_detectable_effect(sigma, pairs, design) > effect) ++pairs;
  return pairs;
}

}  // namespace results
