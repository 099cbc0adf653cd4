// Change points by the energy distance between what is before and what is after (D. S. Matteson and
// N. A. James, "A nonparametric approach for multiple change point analysis of multivariate data",
// Journal of the American Statistical Association 109, 2014; with their alpha = 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace results {

struct EDivisiveOptions {
  std::size_t minimum_segment = 5;  // values between change points, at least 2
  std::size_t permutations = 199;   // R
  double significance = 0.05;       // of each split: at least 1 / (1 + R)
  std::uint64_t seed = 1;           // of the permutations: equal seeds, equal answers
};

// The first value of each segment but the first, ascending. A segment is split at the place, and
// for the stretch after it, where the scaled energy distance is largest, when at most a share of
// `significance` of the orders of its values has one as large: p = (1 + z) / (1 + R), where z of R
// random orders within the segment do. Both parts are then looked at likewise. Takes O(n^2) time
// for each order, and only a few orders where nothing changed: no more are drawn than the answer
// needs.
std::vector<std::size_t> e_divisive(std::span<const double> values,
                                    const EDivisiveOptions& options = {});

}  // namespace results
