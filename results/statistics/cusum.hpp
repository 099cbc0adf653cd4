// A detector that is fast rather than sure: it adds up by how much each value is above what it
// allows (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace results {

// In standard deviations, half of the shift that is found fastest. The usual 0.5 is for shifts of
// one; those the rank scan finds as soon, and scores of ranks are bounded: their detector gains by
// more.
inline constexpr double cusum_allowance = 0.75;

struct Cusum {
  double sum = 0;
  std::size_t start = 0;  // since which value it is above 0: where the level changed, if it did
};

// The detector for larger values after the last of `scores`: S = max(0, S + score - allowance).
// For smaller ones, turn the signs. Requires scores of mean 0 and standard deviation 1.
Cusum cusum(std::span<const double> scores);

// The sum that normally distributed scores without a change take `run_length` values to reach, on
// average (D. Siegmund, "Sequential Analysis", 1985, section 2.6: with b = h + 1.166, for an
// allowance of k, (e^(2 k b) - 1 - 2 k b) / (2 k^2)). Requires run_length > 1.
double cusum_threshold(double run_length);

// What each value says beside those before it: the normal quantile of its rank among them. Without
// a change these scores are independent and nearly standard normal whatever the distribution of the
// values, so that no level and no deviation has to be known (D. McDonald, "A CUSUM procedure based
// on sequential ranks", Naval Research Logistics 37, 1990). Equal values share their mean rank.
std::vector<double> sequential_scores(std::span<const double> values);

}  // namespace results
