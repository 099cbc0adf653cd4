// Mann and Whitney's test of two samples that are not paired (H. B. Mann and D. R. Whitney, "On a
// test of whether one of two random variables is stochastically larger than the other", 1947).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace results {

struct MannWhitney {
  double u;          // pairs of a first and a second value where the first is greater; equal: 1/2
  bool exact;        // up to 3600 pairs, as of 60 and 60; from there on by the normal approximation
  double p_greater;  // P(U >= u) if both were drawn from the same: small, the first are greater
  double p_less;     // P(U <= u)
  double p_two_sided;  // twice the smaller one, at most 1
};

// The null distribution is the one given the ties that are there: exact with ties too. With an
// empty sample every p is 1. Throws std::invalid_argument for a value that is not finite.
MannWhitney mann_whitney(std::span<const double> first, std::span<const double> second);

// The test's null distribution for samples without ties: P(U <= u) at u = 0 to first * second.
// Exact up to 3600 pairs; from there on by the normal approximation.
std::vector<double> mann_whitney_null(std::size_t first, std::size_t second);

}  // namespace results
