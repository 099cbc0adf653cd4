// Wilcoxon's signed-rank test (F. Wilcoxon, "Individual comparisons by ranking methods", 1945): are
// differences that come in pairs greater, or less, than a location? It is exactly valid where they
// are symmetric about it, as they are when chance decided which side of a pair was measured first.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace results {

struct SignedRank {
  std::size_t n;       // differences other than the location
  std::size_t zeros;   // equal to it; they say nothing about a direction and are left out
  double w_plus;       // sum of the ranks, by distance from the location, of those above it
  bool exact;          // up to 60 differences; from there on by the normal approximation
  double p_greater;    // P(W+ >= w_plus) if the location were the middle: small, they are greater
  double p_less;       // P(W+ <= w_plus)
  double p_two_sided;  // twice the smaller one, at most 1
};

// Distances that are equal share the mean of their ranks, and the null distribution is the one
// given these ranks: exact with ties too. Without a difference every p is 1. n differences cannot
// give a p_greater or p_less below 2^-n. Throws std::invalid_argument for a value that is not
// finite.
SignedRank signed_rank(std::span<const double> differences, double location = 0);

// The test's null distribution for n differences without ties: P(W+ <= w) at w = 0 to n (n + 1)
// / 2. Exact up to 60 differences; from there on by the normal approximation.
std::vector<double> signed_rank_null(std::size_t n);

}  // namespace results
