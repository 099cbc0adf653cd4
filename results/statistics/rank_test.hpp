// What tests on ranks share: groups of equal values, and how far out a statistic lies.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace results {

// Equal values of two samples.
struct TieGroup {
  std::size_t first;   // how many of them are of the first sample
  std::size_t second;  // and of the second one

  [[nodiscard]] std::size_t size() const { return first + second; }
};

// Both samples pooled, from the least value to the greatest.
std::vector<TieGroup> tie_groups(std::vector<double> first, std::vector<double> second);

// The sum of t^3 - t over groups of t equal values, by which ties lessen a rank statistic's
// variance.
double tie_correction(std::span<const TieGroup> groups);

// How probable it is under the null hypothesis to see what was seen, or what lies farther out.
struct Tails {
  double less;     // P(statistic <= observed)
  double greater;  // P(statistic >= observed)

  // Twice the smaller one, at most 1.
  [[nodiscard]] double two_sided() const;
};

// Of a statistic that has the value i with `probabilities[i]`. Both tails hold what was observed.
Tails exact_tails(std::span<const double> probabilities, std::size_t observed);

// Of a statistic that goes in steps of one and is about normal; the correction for continuity takes
// half a step. Without any variance there is nothing to be seen: both are 1.
Tails normal_tails(double observed, double mean, double variance);

}  // namespace results
