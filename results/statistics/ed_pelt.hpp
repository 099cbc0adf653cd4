// Change points that minimise a penalised cost (K. Haynes, P. Fearnhead and I. A. Eckley, "A
// computationally efficient nonparametric approach for changepoint detection", Statistics and
// Computing 27, 2017; PELT: R. Killick, P. Fearnhead and I. A. Eckley, Journal of the American
// Statistical Association 107, 2012).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace results {

// The first value of each segment but the first, ascending. The cost of a segment of n values is
// how badly its empirical distribution function, at ceil(4 ln n) quantiles of all values, tells
// below from above; each change point costs 3 ln n more. Segments have at least `minimum_segment`
// values (one or more). Takes O(n ln n) memory, and O(n^2 ln n) time where nothing changes.
std::vector<std::size_t> ed_pelt(std::span<const double> values, std::size_t minimum_segment = 5);

}  // namespace results
