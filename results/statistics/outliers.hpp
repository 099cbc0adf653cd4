// Values that are far from the others.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace results {

// The indices of the values farther than `limit` standard deviations from the median, the standard
// deviation being 1.4826 times the median of the distances from it, which outliers do not move
// (F. R. Hampel, "The influence curve and its role in robust estimation", Journal of the American
// Statistical Association 69, 1974). Where more than half of the values are equal, 1.2533 times the
// mean distance. The values should have no change of level. They are marked, not removed.
std::vector<std::size_t> outliers(std::span<const double> values, double limit = 5);

}  // namespace results
