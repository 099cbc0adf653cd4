// What a gate demands: policy.toml, which a project keeps beside its code.
//
//   rows = ["^round_trip/", "^BM_Parse"]    # each must be there
//   metrics = ["real_time_ns"]
//   floor_percent = 2
//   floors = [{ rows = "^pool_", percent = 5 }]
#pragma once

#include <cstddef>
#include <filesystem>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace results {

// An expression, found anywhere in the name of a row (Name::text()).
class RowExpression {
 public:
  // Throws std::regex_error. "" is found in every name.
  explicit RowExpression(const std::string& text) : text_(text), regex_(text) {}

  [[nodiscard]] bool finds(const std::string& row) const { return std::regex_search(row, regex_); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::regex regex_;
};

// How much slower some rows may get before it matters.
struct RowFloor {
  RowExpression rows;
  double percent = 0;
};

// The default demands nothing in particular of any benchmark: every row, by its time.
struct Policy {
  std::vector<RowExpression> rows;  // those that are gated; each must find one. None: all rows
  std::vector<std::string> metrics{"real_time_ns"};

  double floor_percent = 2;
  std::vector<RowFloor> floors;  // of some rows; the first that finds the row holds

  // A pair is a block of four launches (compare/pairs.hpp).
  double alpha = 0.01;             // how often a gate of identical builds may be red, in (0, 0.5)
  std::size_t screen_pairs = 8;    // of every row
  double screen_alpha = 0.2;       // below which a row is suspected, in (0, 0.5)
  std::size_t confirm_pairs = 30;  // of each suspect, fresh

  double budget_minutes = 25;  // of measuring
  // Of the blocks, disturbed by others; beyond, nothing is said. 1: none is thrown out.
  double discarded_share_max = 0.2;
  double min_time_s = 0.05;  // of a repetition, as Google Benchmark takes it
  int repetitions = 1;       // in a launch; of several the first warms up, and the median counts
  bool inconclusive_fails = false;  // whether exit 3 follows from rows about which nothing is known
  std::vector<std::string> arguments;  // more of them, for the benchmarks

  // Whether a row is gated.
  [[nodiscard]] bool takes(const std::string& row) const;

  // The floor of a row as an effect (see Comparison): ln(1 + percent / 100).
  [[nodiscard]] double floor(const std::string& row) const;
};

// Reads a policy. A key that is left out keeps its default; one that is unknown, of another kind or
// out of its range ends in Failure(usage) that names the file, the line, the key, the value and
// the limit.
Policy read_policy(const std::filesystem::path& file);

}  // namespace results
