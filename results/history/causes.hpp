// What the changes of many series say together: which stand out, which have one cause, and whether
// the history as a whole can be believed.
#pragma once

#include <cstddef>
#include <vector>

#include "results/history/scan.hpp"

namespace results {

// Sets Change::p_among of all but suspects: adjusted, after Benjamini and Hochberg, for the series
// that have points in the same `window` runs of the history. A longer history does not make the
// next change harder to see. Change::series are indices into `series`.
void adjust_for_series(std::vector<Change>& changes, const std::vector<Series>& series,
                       std::size_t window);

// Indices of changes, the largest first.
using Cause = std::vector<std::size_t>;

// Groups all but suspects: same environment, mechanism and direction, and at most two runs after
// the first of the group. `changes` are in the order of runs.
std::vector<Cause> by_cause(const std::vector<Change>& changes);

// Of causes with at least one change that is an alert.
std::vector<Alert> alerts(const std::vector<Change>& changes, const std::vector<Cause>& causes);

// Of causes; by the binomial test.
Symmetry symmetry(const std::vector<Change>& changes, const std::vector<Cause>& causes);

}  // namespace results
