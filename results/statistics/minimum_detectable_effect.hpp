// How small an effect a comparison can see, and how many pairs it takes to see one: the usual
// formula for a one-sided t-test, with the efficiency that the signed-rank test has beside it on
// normal differences, 3 / pi = 0.955 (E. J. G. Pitman, 1948; Hodges and Lehmann, 1956). With the
// quantiles of the normal distribution in place of Student's it would promise too much: at 12 pairs
// and an alpha of 0.01, a power of 90 % where 77 % are reached (tests/statistics_coverage_test.cpp
// looks).
#pragma once

#include <cstddef>
#include <span>

namespace results {

// The standard deviation, from the median of the distances from the median (times 1.4826, which
// makes it that of normal values): spikes do not move it. Where more than half of the values are
// equal that says 0, and the ordinary standard deviation is taken. 0 for less than two values;
// throws std::invalid_argument for one that is not finite.
double robust_sigma(std::span<const double> values);

// The rule of a one-sided test: both are probabilities, above 0 and below 1.
struct TestDesign {
  double alpha = 0.01;  // of seeing an effect that is not there
  double power = 0.9;   // of seeing one that is
};

// The effect above the hypothesis that n differences of this standard deviation show with the power
// asked for. Infinite for one difference, and where n is so small that even the clearest outcome,
// p = 2^-n, is above alpha; a little too small next to where it is infinite.
// Throws std::invalid_argument unless 0 < alpha, power < 1 and 0 <= sigma.
double minimum_detectable_effect(double sigma, std::size_t n, TestDesign design = {});

// The least number of pairs that shows an effect above 0. Throws likewise, and for an effect that
// is not above 0, or so small that it would take 10^12 pairs.
std::size_t pairs_needed(double sigma, double effect, TestDesign design = {});

}  // namespace results
