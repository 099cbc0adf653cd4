// All that is concluded about one row from pairs of launches, base beside head.
#pragma once

#include <cstddef>
#include <span>

#include "results/statistics/median.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"

namespace results {

// Differences are above 0 where head is slower. The floor is part of the hypotheses: what is shown
// is that head is slower by more than it, not that it is slower at all and by the way also by so
// much.
struct PairedTest {
  std::size_t n;         // differences, with ties
  std::size_t ties;      // differences of 0
  double floor;          // an effect of this size, either way, is no matter
  double effect;         // Hodges and Lehmann's estimate
  Interval interval;     // of the median difference, by the sign test: valid for skewed ones too
  double p_regression;   // of "slower by the floor at most": signed-rank test
  double p_improvement;  // of "faster by the floor at most"
  double p_unchanged;    // of "beyond the floor, one way or the other": two one-sided tests
  double minimum_detectable_effect;  // the floor and what is seen above it with the power asked for
};

// `design` is that of the one-sided tests, and serves for the minimum detectable effect alone.
// The two one-sided tests are those of D. J. Schuirmann, "A comparison of the two one-sided tests
// procedure and the power approach for assessing the equivalence of average bioavailability", 1987.
// Throws std::invalid_argument unless there are 1 to 1000 differences, all finite, and 0 <= floor.
PairedTest paired_test(std::span<const double> differences, double floor, TestDesign design = {});

}  // namespace results
