// Kolmogorov and Smirnov's test of two samples (N. V. Smirnov, "Table for estimating the goodness
// of fit of empirical distributions", 1948): it sees a change of shape that leaves the middle in
// place.
#pragma once

#include <span>

namespace results {

struct KolmogorovSmirnov {
  double d;    // the greatest distance between the two empirical distributions, in [0, 1]
  bool exact;  // as long as that takes some ten million steps; else from the limiting distribution
  double p;    // P(D >= d) if both were drawn from the same
};

// The exact null distribution is the one given the ties that are there (G. Schröer and D. Trenkler,
// "Exact and randomization distributions of Kolmogorov-Smirnov tests two or three samples", 1995).
// With an empty sample p is 1. Throws std::invalid_argument for a value that is not finite.
KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> first, std::span<const double> second);

}  // namespace results
