// `ipc-compare gate` and `ipc-compare calibrate`: a base build against a head build, and an exit
// code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "results/compare/builds.hpp"
#include "results/failure.hpp"
#include "results/gate/calibration.hpp"
#include "results/gate/policy.hpp"
#include "results/gate/report.hpp"
#include "results/gate/waivers.hpp"

namespace results {

struct GateOptions {
  BuildsOptions builds;
  Policy policy;
  std::vector<Waiver> waivers = {};
  std::filesystem::path calibration = {};  // empty: floors are the policy's
  bool allow_other_machine = false;        // take floors that were calibrated on another one
  bool measure_identical = false;          // do not take one binary on both sides for its own equal
  std::uint64_t seed = 0;
};

// Measures and decides. Report::exit is regression when a row is red; else benchmark when a row is
// missing or failed; else inconclusive when the time ran out, or when the policy says so of rows
// about which nothing is known; else ok. A machine that is unfit is inconclusive whatever was seen.
// Throws Failure: usage, inconclusive (another machine's calibration), interrupted.
GateReport gate(const GateOptions& options);

struct CalibrateOptions {
  BuildsOptions builds;  // base and head are the same
  Policy policy;
  int pairs = 40;
  std::uint64_t seed = 0;
};

// Measures a build against itself. Throws Failure as gate() does.
Calibration calibrate(const CalibrateOptions& options);

}  // namespace results
