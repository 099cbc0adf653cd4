// What the rows of a suite do together in a run is the machine's doing, or a change to all of them.
#pragma once

#include <cstddef>
#include <vector>

#include "results/history/scan.hpp"

namespace results {

// Of all rows of one environment and metric without a reference: subtracts from each value the
// median over the rows of how far they are, in that run, from their own levels. Returns what was
// subtracted, one series for each environment and metric. Runs with fewer than `fewest` rows are
// left as they are. A row's level is its median as long as Point::segment stays the same.
std::vector<Series> subtract_common_mode(std::vector<Series>& series, std::size_t fewest);

}  // namespace results
