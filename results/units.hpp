// How figures are written for people: three digits, one scale.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/statistics/median.hpp"

namespace results {

// `words` has no figure: a row's label stands there.
enum class Unit { nanoseconds, per_second, bytes, bytes_per_second, count, ratio, words };

// A unit with the prefix that makes figures easy to read: value / factor is in `symbol`.
struct Scale {
  double factor = 1;
  std::string symbol;
};

// For values that are shown side by side: the one in the middle gets 1 to 999 of the unit.
Scale scale_for(Unit unit, const std::vector<double>& values);

// `digits` significant digits, without an exponent: 0.0702, 8.12, 61200.
std::string significant(double value, int digits = 3);

// "8.12 ±2 %"; fewer digits where the interval is wide; no ± for a single launch.
std::string with_spread(const Summary& summary, const Scale& scale);

// A value alone with its own scale: "8.12 µs".
std::string with_unit(double value, Unit unit);

// What a figure of a row is counted in, by its name: "latency_ns_p99", "messages_per_second".
Unit unit_of(std::string_view figure);

// An effect (see Comparison) as what it adds: "+10.0 %"; "-" for one that is not finite.
std::string percent_text(double effect);

// "1.17", "61".
std::string ratio_text(double ratio);

// "64 B", "1 KiB", "1 MiB"; other text as it is.
std::string bytes_text(std::string_view bytes);

}  // namespace results
