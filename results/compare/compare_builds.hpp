// `ipc-compare compare --base DIR --head DIR`: every row of two builds, measured in turn. It tells
// and does not judge: the gate confirms what it suspects on fresh pairs, this does not.
#pragma once

#include <string>
#include <vector>

#include "results/compare/builds.hpp"
#include "results/compare/comparison.hpp"
#include "results/compare/pairs.hpp"

namespace results {

struct CompareBuildsOptions {
  BuildsOptions builds;
  PairsOptions pairs;
  int blocks = 20;   // of each row
  double floor = 0;  // as an effect
  double alpha =
      0.05;  // the share of false rows among those that are told, of all that were measured
  double budget_minutes = 60;
};

struct BuildsComparison {
  std::vector<Comparison> rows;
  std::vector<std::string> discarded;  // blocks that were thrown out, and why
  std::vector<std::string> notes;
  bool unfit = false;  // too many were
};

// Throws Failure as find_subjects() and PairMeasurement::measure() do. p-values of a regression and
// of an improvement are adjusted over all rows (Benjamini and Hochberg).
BuildsComparison compare_builds(const CompareBuildsOptions& options);

}  // namespace results
