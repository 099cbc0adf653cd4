// Ranks of values.
#pragma once

#include <span>
#include <vector>

namespace results {

struct Ranks {
  std::vector<double> ranks;  // 1 for the least; values that are equal share the mean of theirs
  double ties;                // the sum of t^3 - t over the groups of t equal values
};

// Requires values that are not NaN.
Ranks mid_ranks(std::span<const double> values);

}  // namespace results
