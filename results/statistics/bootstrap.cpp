#include "results/statistics/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>

#include "results/statistics/finite.hpp"

namespace results {
namespace {

// A sample to be drawn from with replacement.
class Sample {
 public:
  explicit Sample(std::span<const double> values)
      : sorted_(values.begin(), values.end()), drawn_(values.size()) {
    require_finite(values, "ratio_of_medians_interval");
    std::sort(sorted_.begin(), sorted_.end());
    if (sorted_.empty() || sorted_.front() <= 0) {
      throw std::invalid_argument(
          "ratio_of_medians_interval: a ratio needs values, and all of them above 0");
    }
  }

  // The median of a new resample. Counts how often each value was drawn, which spares sorting.
  double resampled_median(std::mt19937_64& random) {
    const std::size_t n = sorted_.size();
    std::fill(drawn_.begin(), drawn_.end(), std::size_t{0});
    for (std::size_t i = 0; i < n; ++i) drawn_[index(random)] += 1;
    std::size_t at = 0;
    std::size_t reached = drawn_[0];  // of the resample, from its least value
    const auto rank = [&](std::size_t k) {
      while (reached < k) reached += drawn_[++at];
      return sorted_[at];
    };
    const double lower = rank((n + 1) / 2);
    return (lower + rank(n / 2 + 1)) / 2;
  }

 private:
  // The upper half of the random bits as a share of n. std::uniform_int_distribution would spend
  // the same seed differently with another library.
  std::size_t index(std::mt19937_64& random) const {
    return (random() >> 32) * sorted_.size() >> 32;
  }

  std::vector<double> sorted_;
  std::vector<std::size_t> drawn_;
};

}  // namespace

Interval ratio_of_medians_interval(std::span<const double> base, std::span<const double> head,
                                   const Resampling& resampling) {
  const double confidence = resampling.confidence;
  if (resampling.resamples == 0 || !(confidence > 0 && confidence < 1)) {
    throw std::invalid_argument(
        fmt::format("{} resamples at a confidence of {} give no interval; it takes one or more, "
                    "and a confidence above 0 and below 1",
                    resampling.resamples, confidence));
  }
  Sample of_base(base);
  Sample of_head(head);
  std::mt19937_64 random(resampling.seed);
  std::vector<double> ratios(resampling.resamples);
  for (double& ratio : ratios) {
    const double denominator = of_base.resampled_median(random);
    ratio = of_head.resampled_median(random) / denominator;
  }
  const auto beyond = static_cast<std::size_t>(
      std::floor((1 - confidence) / 2 * static_cast<double>(ratios.size())));
  const auto at = [&](std::size_t k) {
    const auto place = ratios.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(ratios.begin(), place, ratios.end());
    return *place;
  };
  return {.lower = at(beyond), .upper = at(ratios.size() - 1 - beyond), .coverage = confidence};
}

}  // namespace results
