// Has the level of a series changed, and where? Every split is tried: the ranks of the values
// before it are summed, as Wilcoxon's test does, and the split that is farthest from what chance
// gives is the answer (A. N. Pettitt, "A non-parametric approach to the change-point problem",
// Applied Statistics 28, 1979; standardised at each split, so that changes near the ends count as
// well). Under "nothing changed" its distribution depends on the number of values alone, whatever
// theirs.
#pragma once

#include <cstddef>
#include <span>

namespace results {

// Each side of a split has at least so many values: the table of critical values is for this
// number.
inline constexpr std::size_t rank_scan_minimum_segment = 5;

struct RankScan {
  double statistic = 0;      // in standard deviations of the rank sum, at the best split
  std::size_t position = 0;  // the first value after that split; 0 when no split was possible
};

// Ties share their mean rank, and the standard deviation is corrected for them. Fewer than ten
// values, or equal ones, give a statistic of 0. Requires finite values.
RankScan rank_scan(std::span<const double> values);

// The probability of a statistic of n values that is at least so large when nothing changed, in
// (0, 1]. From a table of critical values at 0.05, 0.01, 0.001 and 0.0001: between its rows these
// are linear in ln n, and between two of them, and beyond, ln p is linear in the statistic's
// square. Above 0.05 it is rough. Where n values cannot reach a critical value, p stays at the one
// before.
double rank_scan_p(double statistic, std::size_t n);

}  // namespace results
