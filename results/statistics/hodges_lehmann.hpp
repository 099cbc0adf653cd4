// How large a difference is, as robustly as the rank tests say that there is one (J. L. Hodges and
// E. L. Lehmann, "Estimates of location based on rank tests", 1963).
#pragma once

#include <span>

#include "results/statistics/median.hpp"

namespace results {

struct HodgesLehmann {
  double estimate;
  // The locations, or shifts, that the rank test does not reject. Its coverage is that of samples
  // without ties, and exact as far as the test is; where even the extremes do not reach the
  // confidence asked for, they are the interval.
  Interval interval;
};

// Of one sample: the median of the means of any two values, each value with itself too (Walsh
// averages); the interval by inverting Wilcoxon's signed-rank test, for which the values have to be
// symmetric. Throws std::invalid_argument without a value or for one that is not finite, or unless
// 0 < confidence < 1. Time and memory grow with the square of the number of values.
HodgesLehmann hodges_lehmann(std::span<const double> values, double confidence = 0.95);

// Of two samples: the median of all differences, head less base; the interval by inverting Mann and
// Whitney's test. Throws and grows likewise.
HodgesLehmann hodges_lehmann_shift(std::span<const double> base, std::span<const double> head,
                                   double confidence = 0.95);

}  // namespace results
