// Measures two builds in turn: blocks of four launches a row, base head head base or the mirror
// image.
//
// A launch is the unit of replication (Kalibera and Jones, ISMM 2013), and what is compared lies
// beside each other in time, so that a slow drift of the machine cancels (the "duet" of Bulej et
// al., ICPE 2020, one after the other because what is measured here needs all CPUs). Which order a
// block has, and in which order rows are measured, is drawn at random; that makes the test of the
// differences exact.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "results/compare/builds.hpp"
#include "results/compare/disturbance.hpp"
#include "results/measure/progress.hpp"

namespace results {

struct PairsOptions {
  std::vector<std::string> metrics;   // figures of a row
  double min_time_s = 0.05;           // that Google Benchmark measures for, in each launch
  int repetitions = 1;                // in each launch; of several the first one is dropped
  double discarded_share_max = 0.20;  // of the blocks; beyond, the machine is unfit. 1: keep all
  std::chrono::milliseconds silence = std::chrono::seconds(60);  // of a launch that hangs
  std::uint64_t seed = 0;
};

// One block's answer for a row in a metric. Logarithms of figures in base units.
struct Pair {
  double base = 0;  // mean of the two launches
  double head = 0;
};

// What was measured of the rows, by row and metric, one Pair for each block that counts.
struct Paired {
  std::vector<std::map<std::string, std::vector<Pair>, std::less<>>> rows;
  std::vector<std::string> failures;   // of each row; empty when all its launches went well
  std::vector<std::string> discarded;  // why blocks do not count
  bool complete = true;                // false: the time ran out
  bool unfit = false;                  // too many blocks were disturbed
};

class PairMeasurement {
 public:
  PairMeasurement(std::vector<Subject> subjects, PairsOptions options, StopSignals& stop,
                  Progress& progress);

  // Measures that many undisturbed blocks of the rows with these numbers; others stay empty. Stops
  // early when the deadline comes near, and gives what there is. `what` is shown while it goes on.
  // Throws Failure(interrupted).
  Paired measure(const std::vector<std::size_t>& rows, int blocks,
                 std::chrono::steady_clock::time_point deadline, const std::string& what);

  [[nodiscard]] const std::vector<Subject>& subjects() const { return subjects_; }

 private:
  struct Block {
    std::vector<std::map<std::string, Pair, std::less<>>> rows;
    Watch watch;
  };

  Block measure_block(const std::vector<std::size_t>& rows, Paired& result);
  std::optional<Figures> measure_launch(const Benchmark& benchmark, std::string& failure);
  void pad_environment();
  void draw_step();

  std::vector<Subject> subjects_;
  PairsOptions options_;
  StopSignals& stop_;
  Progress& progress_;
  std::mt19937_64 random_;
  Step step_;
  std::size_t launches_done_ = 0;  // of this call of measure()
  std::size_t launches_wanted_ = 0;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace results
