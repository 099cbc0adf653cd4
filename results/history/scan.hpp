// What the history of many rows says: where their level changed, and what deserves to be looked at.
// It opens alerts and blocks nothing: fresh pairs of both builds decide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "results/statistics/median.hpp"

namespace results {

// What one run says about one row in one metric.
struct Point {
  std::int64_t run;  // the place of the run in the history
  double value;      // a logarithm that grows as the row gets worse: ln(time), -ln(rate)
  int segment = 0;   // another number where values before and after must not be compared:
                     // another machine, environment or version of the row
};

struct Series {
  std::string row{};
  std::string metric{};
  std::string environment{};
  std::string mechanism{};      // what the row is about: changes about the same run are one alert
  double floor = 0.02;          // a change of the level up to this one is no matter
  bool has_reference = false;   // the values are ln(head / reference), measured together
  std::vector<Point> points{};  // runs grow; values are finite
};

enum class ChangeState {
  suspect,    // the fast detector alone: to be watched, not an alert
  confirmed,  // E-divisive and ED-PELT agree on it, and the rank scan confirms it
  recovered,  // confirmed, and the level came back later, to within the floor
};

// "suspect", ...
std::string_view to_text(ChangeState state);

// The level of a series differs from `run` on.
struct Change {
  std::size_t series;  // its index in what was scanned, or common_mode
  std::string row{};   // of that series
  std::string metric{};
  std::string environment{};
  std::string mechanism{};

  ChangeState state = ChangeState::confirmed;
  std::int64_t run = 0;           // the first at the new level
  std::int64_t previous_run = 0;  // the last at the old one
  std::size_t runs_before = 0;    // that the effect rests on: the nearest of each level
  std::size_t runs_after = 0;
  double before = 0;  // their medians
  double after = 0;
  double effect = 0;    // Hodges and Lehmann's shift: above 0 is worse
  Interval interval{};  // of the effect
  double floor = 0;     // of the series
  double p = 1;         // of the rank scan around it; 1 of a suspect
  double p_among = 1;   // adjusted for how many series were looked at (Benjamini and Hochberg)
  bool alert = false;   // confirmed, stands out among the series, and worse by more than the floor

  [[nodiscard]] bool worse() const { return effect > 0; }
};

// Change::series of a change of what all series have in common.
inline constexpr std::size_t common_mode = static_cast<std::size_t>(-1);

// Changes for the worse in one environment and mechanism that began within three runs: one cause.
struct Alert {
  std::size_t lead;                 // the largest that is an alert: an index into Scan::changes
  std::vector<std::size_t> also{};  // the others, confirmed but perhaps too small to alert alone
};

// A value far from its level (see outliers.hpp). It is kept, and one alone is never a change.
struct Outlier {
  std::size_t series;
  std::int64_t run;
};

// Noise is better as often as worse: a history that changes in one direction only is mismeasured.
struct Symmetry {
  std::size_t regressions = 0;  // those of one cause count once
  std::size_t improvements = 0;
  double p = 1;         // of a split as uneven as this one, or more, when both are equally likely
  bool biased = false;  // p < 0.01
};

struct Scan {
  std::vector<Change> changes;  // by run, then by series
  std::vector<Alert> alerts;    // by run; of confirmed changes, recovered ones included
  std::vector<Outlier> outliers;
  Symmetry symmetry;  // of the confirmed changes
};

struct ScanOptions {
  std::size_t window = 150;               // runs that are looked at together
  double significance = 0.001;            // of the rank scan that confirms a change
  double false_discovery_rate = 0.05;     // of alerts, over all series
  double runs_to_false_suspect = 30'000;  // on average, of one series in one direction
  std::size_t common_mode_series = 10;    // fewer have no effect in common that could be told
  std::uint64_t seed = 1;                 // of the permutations: equal seeds, equal answers
};

// What all rows of an environment and metric that have no reference do together in a run is
// subtracted from each and looked at as a series of its own, without a row or mechanism.
// Requires what Series and Point say of their members.
Scan scan(const std::vector<Series>& series, const ScanOptions& options = {});

}  // namespace results
