// What noise does to each row on one machine: found by measuring a build against itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "results/compare/pairs.hpp"
#include "results/environment_key.hpp"

namespace results {

struct Noise {
  double floor = 0;       // 99 of 100 gates of identical builds estimate a smaller effect
  double pair_sigma = 0;  // robust, of one block's effect
  std::size_t pairs = 0;  // that this rests on
};

struct Calibration {
  EnvironmentKey environment;
  std::map<std::string, std::map<std::string, Noise>> rows;  // by row and metric

  // 0 for a row that was not calibrated.
  [[nodiscard]] double floor(const std::string& row, const std::string& metric) const;
};

// The noise of each row and metric, were a gate to estimate its effect from `gate_pairs` pairs: the
// 99th percentile of the estimates from as many, drawn again and again. A row with fewer than
// `pairs_min` pairs takes the largest floor of its scenario, for its own tail is not known.
// `paired` holds the rows in the order of `names`.
Calibration calibrate(const std::vector<std::string>& names, const Paired& paired,
                      std::size_t gate_pairs, std::uint64_t seed);

inline constexpr std::size_t pairs_min = 20;

// What floors are for.
EnvironmentKey this_machine();

// JSON. Throws Failure(output) when it cannot be written, Failure(usage) when it cannot be read.
void write_calibration(const std::filesystem::path& file, const Calibration& calibration);
Calibration read_calibration(const std::filesystem::path& file);

}  // namespace results
