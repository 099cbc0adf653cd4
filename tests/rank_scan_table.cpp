// Writes results/statistics/rank_scan_table.hpp: rank_scan_table > that file. Takes some minutes.
#include <cstdio>

#include <fmt/format.h>

#include "tests/rank_scan_null.hpp"

namespace {

constexpr std::size_t last = 1024;

// Each n as long as it is small and the values jump, then a few for each doubling.
std::size_t after(std::size_t n) {
  return n < 32 ? n + 1 : n < 64 ? n + 8 : n + n / 4;
}

}  // namespace

int main() {
  fmt::print(
      "// Critical values of the rank scan with segments of at least {}, from {} random orders "
      "for\n"
      "// each n. Written by tests/rank_scan_table.cpp.\n"
      "#pragma once\n\n#include <array>\n#include <cstddef>\n#include <limits>\n\n"
      "namespace results {{\n\n"
      "// More than four standard deviations may be out of reach of few values.\n"
      "inline constexpr double unreachable = std::numeric_limits<double>::infinity();\n\n"
      "inline constexpr std::array<double, 4> rank_scan_significances{{0.05, 0.01, 0.001, 0.0001}};"
      "\n\n"
      "struct RankScanRow {{\n  std::size_t n;\n  std::array<double, 4> critical_values;\n}};\n\n"
      "inline constexpr RankScanRow rank_scan_table[]{{\n",
      results::rank_scan_minimum_segment, rank_scan_null::table_samples);
  for (std::size_t n = 2 * results::rank_scan_minimum_segment; n <= last; n = after(n)) {
    auto statistics = rank_scan_null::statistics(n, rank_scan_null::table_samples, n);
    std::string row;
    for (const double significance : {0.05, 0.01, 0.001, 0.0001}) {
      const double value = rank_scan_null::critical_value(statistics, significance);
      row += fmt::format("{}{}", row.empty() ? "" : ", ",
                         std::isinf(value) ? "unreachable" : fmt::format("{:.4f}", value));
    }
    fmt::print("    {{{}, {{{}}}}},\n", n, row);
    std::fflush(stdout);
  }
  fmt::print("}};\n\n}}  // namespace results\n");
}
