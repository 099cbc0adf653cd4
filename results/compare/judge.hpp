// What pairs of measurements say about one row in one metric.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/compare/comparison.hpp"
#include "results/compare/pairs.hpp"

namespace results {

// The differences of pairs, as effects: above 0 where head is worse.
std::vector<double> effects(std::string_view metric, const std::vector<Pair>& pairs);

// Everything that the pairs tell, the p-values without correction; the verdict is left open.
// `alpha` is the level at which the row will be judged, for the effect that it could have seen.
// Requires a pair.
Comparison compare(std::string row, std::string metric, const std::vector<Pair>& pairs,
                   double floor, double alpha);

// The level of "unchanged": both one-sided tests within the floor reject at it (TOST, Schuirmann
// 1987).
inline constexpr double unchanged_alpha = 0.05;

// By the p-values as they are in the row: a regression or an improvement at `alpha`, else
// unchanged, else inconclusive.
void give_verdict(Comparison& comparison, double alpha);

}  // namespace results
