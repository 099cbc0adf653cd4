// All that is concluded about one row from launches that were not measured in turn.
#pragma once

#include <cstddef>
#include <vector>

#include "results/statistics/median.hpp"

namespace results {

// Effects are logarithms, above 0 where head needs more. The floor is part of the hypotheses, and
// no p is corrected yet for how many rows are looked at.
struct UnpairedTest {
  double effect;       // Hodges and Lehmann's shift
  Interval interval;   // of it, by inverting Mann and Whitney's test
  double p_slower;     // of "slower by the floor at most": Mann and Whitney's test
  double p_faster;     // of "faster by the floor at most"
  double p_unchanged;  // of "beyond the floor, one way or the other": two one-sided tests
  double p_shape;      // of "one distribution": Kolmogorov and Smirnov's test
  double p_smallest;   // that p_slower or p_faster can have with so few values
};

// Requires at least one value on each side, and that all are finite.
UnpairedTest unpaired_test(const std::vector<double>& base, const std::vector<double>& head,
                           double floor);

// The effect beyond the floor that the test sees nine times in ten at this level of either side,
// floor included; infinite where so few values never reach the level.
double minimum_detectable_shift(const std::vector<double>& base, const std::vector<double>& head,
                                double floor, double alpha);

}  // namespace results
