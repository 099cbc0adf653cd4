// How a gate decides: it screens every row with few pairs, and confirms the suspects on fresh ones.
//
// Because the pairs of the second stage have no part in the choice of the suspects, Holm's
// correction over the suspects alone keeps the chance of any false red at alpha, whatever the first
// stage did. A suspect that is still open may get a third stage, so that each of the two has half
// of alpha.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "results/compare/comparison.hpp"
#include "results/compare/pairs.hpp"
#include "results/gate/policy.hpp"

namespace results {

// Measures so many blocks of the rows with these numbers, as PairMeasurement::measure does.
using MeasurePairs = std::function<Paired(const std::vector<std::size_t>& rows, int blocks,
                                          const std::string& what)>;

// The effect up to which a row may be worse.
using FloorOf = std::function<double(const std::string& row, const std::string& metric)>;

struct Decision {
  std::vector<Comparison> rows;        // of each row and metric, in their order
  std::vector<std::string> stages;     // a line about each
  std::vector<std::string> discarded;  // why blocks do not count
  std::string unfit;                   // why nothing can be said; else empty
  bool complete = true;                // false: the time ran out before everything was decided
};

Decision decide(const std::vector<std::string>& names, const Policy& policy, const FloorOf& floor,
                const MeasurePairs& measure);

}  // namespace results
