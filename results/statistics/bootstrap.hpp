// Bootstrap intervals (B. Efron, "Bootstrap methods: another look at the jackknife", 1979): a
// second opinion on the interval of a rank test, which rests on other assumptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "results/statistics/median.hpp"

namespace results {

struct Resampling {
  std::uint64_t seed = 1;  // the same seed gives the same interval, on every machine
  std::size_t resamples = 10'000;
  double confidence = 0.95;  // nominal: small samples reach less
};

// Of median(head) / median(base): between the percentiles of the ratios of resamples, drawn from
// each side with replacement and as large as it. Throws std::invalid_argument for an empty side, a
// value that is not finite, one that is not above 0, no resamples, or unless 0 < confidence < 1.
Interval ratio_of_medians_interval(std::span<const double> base, std::span<const double> head,
                                   const Resampling& resampling = {});

}  // namespace results
