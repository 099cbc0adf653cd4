// What is said about one row in one metric of two sides, base and head, and what that rests on.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "results/statistics/median.hpp"

namespace results {

enum class Verdict {
  regression,    // slower by more than the floor
  improvement,   // faster by more than the floor
  unchanged,     // within the floor either way
  inconclusive,  // none of these was shown
  differs,       // in two run files: by more than the floor, from whatever cause
  identical,     // both sides are the same binary
  missing,       // one side does not have the row or the metric
  failed,        // a launch of it failed
};

// "regression", ...: one word for each, the same in every output.
std::string_view to_text(Verdict verdict);

// Effects are logarithms of a ratio that is above 1 when head is worse than base, whichever
// direction of the metric is better: ln(head / base) of a time, ln(base / head) of a rate.
struct Comparison {
  std::string row;     // as Name::text() writes it
  std::string metric;  // "real_time_ns", "latency_ns_p99", ...
  Verdict verdict = Verdict::inconclusive;
  std::string reason;  // why it is missing, failed or inconclusive; else empty

  double base = 0;  // medians, in base units
  double head = 0;
  std::size_t n = 0;     // values that the effect rests on: pairs, or launches of the smaller side
  std::size_t ties = 0;  // of these, the ones without any difference
  double effect = 0;     // Hodges and Lehmann's estimate
  Interval interval{};   // of the effect
  double floor = 0;      // an effect up to this one is no matter
  double minimum_detectable_effect = 0;  // that would have been seen nine times in ten

  // After the correction for how many rows were looked at.
  double p_regression = 1;
  double p_improvement = 1;
  double p_unchanged = 1;

  std::string waiver;  // why a regression is tolerated; empty when it is not

  // How many times as much head needs as base: 1.10 for 10 % slower.
  [[nodiscard]] double slowdown() const { return std::exp(effect); }
};

// A row that is missing or failed, or that there was no time for.
Comparison without_values(std::string row, std::string metric, Verdict verdict, std::string reason);

// Whether more is better: what is counted per second (a name that ends in "_per_second").
bool higher_is_better(std::string_view metric);

}  // namespace results
