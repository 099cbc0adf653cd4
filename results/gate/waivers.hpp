// Regressions that are known and tolerated up to a ceiling and a day: waivers.toml.
//
//   [[waivers]]
//   row = "^round_trip/channel:pipe/"
//   metric = "real_time_ns"
//   ceiling = "+15 %"
//   expires = 2026-12-31
//   reason = "checks its input since 2.1"
//   issue = "https://example.org/issues/12"
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "results/compare/comparison.hpp"
#include "results/gate/policy.hpp"

namespace results {

using Date = std::chrono::year_month_day;

struct Waiver {
  RowExpression row;
  std::string metric;
  double ceiling = 0;  // as an effect: "+15 %" is ln(1.15)
  Date expires{};      // the last day on which it holds
  std::string reason;
  std::string issue;  // where it is discussed

  // "real_time_ns of ^round_trip/channel:pipe/, up to +15 % until 2026-12-31".
  [[nodiscard]] std::string text() const;
};

// Reads waivers, or throws Failure(usage) that names the file, the line, the key and the value.
// Every key must be there.
std::vector<Waiver> read_waivers(const std::filesystem::path& file);

// Writes into each regression the waiver that holds for it. Returns a line for each waiver that
// does not hold: it has expired, a row exceeds its ceiling, or there is no such row any more.
std::vector<std::string> apply(const std::vector<Waiver>& waivers, Date today,
                               std::vector<Comparison>& comparisons);

// The day it is, by UTC.
Date today();

}  // namespace results
