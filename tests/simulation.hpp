// Series of seeded noise, and whether what was counted over them fits a probability.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace simulation {

// Numbers of one seed, the same with every standard library.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : random_(seed) {}

  // In (0, 1).
  double uniform() { return (static_cast<double>(random_() >> 12U) + 0.5) * 0x1p-52; }
  double normal() { return quantile(boost::math::normal(), uniform()); }
  double student_t(double degrees) {
    double squares = 0;
    for (int i = 0; i < static_cast<int>(degrees); ++i) {
      const double one = normal();
      squares += one * one;
    }
    return normal() / std::sqrt(squares / degrees);
  }

 private:
  std::mt19937_64 random_;
};

using Series = std::vector<double>;

inline Series normal(Noise& noise, std::size_t n) {
  Series values(n);
  for (double& value : values) value = noise.normal();
  return values;
}

inline Series heavy_tailed(Noise& noise, std::size_t n) {
  Series values(n);
  for (double& value : values) value = noise.student_t(3);
  return values;
}

// One in twenty is ten standard deviations off.
inline Series with_spikes(Noise& noise, std::size_t n) {
  Series values = normal(noise, n);
  for (double& value : values) {
    const double kind = noise.uniform();
    if (kind < 0.05) value += kind < 0.025 ? 10 : -10;
  }
  return values;
}

// A first-order autoregression of standard deviation 1.
inline Series autocorrelated(Noise& noise, std::size_t n, double lag_one = 0.3) {
  Series values = normal(noise, n);
  for (std::size_t i = 1; i < n; ++i) {
    values[i] = lag_one * values[i - 1] + std::sqrt(1 - lag_one * lag_one) * values[i];
  }
  return values;
}

// Whether so large, or so small, a count has a probability below 1 in 20 000.
inline bool too_many(std::size_t count, std::size_t trials, double probability) {
  if (count == 0) return false;
  const boost::math::binomial counts(static_cast<double>(trials), probability);
  return cdf(complement(counts, static_cast<double>(count - 1))) < 5e-5;
}

inline bool too_few(std::size_t count, std::size_t trials, double probability) {
  const boost::math::binomial counts(static_cast<double>(trials), probability);
  return cdf(counts, static_cast<double>(count)) < 5e-5;
}

}  // namespace simulation
