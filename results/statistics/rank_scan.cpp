#include "results/statistics/rank_scan.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "results/statistics/rank_scan_table.hpp"
#include "results/statistics/ranks.hpp"

namespace results {
namespace {

constexpr std::size_t m = rank_scan_minimum_segment;

// The critical value in one column of the table.
double critical_value(std::size_t n, std::size_t column) {
  const auto* above = std::ranges::lower_bound(rank_scan_table, n, {}, &RankScanRow::n);
  if (above == std::end(rank_scan_table)) --above;
  const double at_above = above->critical_values[column];
  if (above->n == n || above == std::begin(rank_scan_table)) return at_above;
  const auto* below = above - 1;
  const double at_below = below->critical_values[column];
  const auto ln = [](std::size_t runs) { return std::log(static_cast<double>(runs)); };
  const double share = (ln(n) - ln(below->n)) / (ln(above->n) - ln(below->n));
  return at_below + share * (at_above - at_below);
}

}  // namespace

RankScan rank_scan(std::span<const double> values) {
  RankScan best;
  const std::size_t size = values.size();
  if (size < 2 * m) return best;
  const auto [ranks, ties] = mid_ranks(values);
  const auto n = static_cast<double>(size);
  // The variance of a rank sum is this times the sizes of both sides.
  const double variance = (n + 1 - ties / (n * (n - 1))) / 12;
  if (variance <= 0) return best;
  double sum = 0;
  for (std::size_t split = 1; split + m <= size; ++split) {
    sum += ranks[split - 1];
    if (split < m) continue;
    const auto before = static_cast<double>(split);
    const double statistic =
        std::abs(sum - before * (n + 1) / 2) / std::sqrt(before * (n - before) * variance);
    if (statistic > best.statistic) best = {.statistic = statistic, .position = split};
  }
  return best;
}

double rank_scan_p(double statistic, std::size_t n) {
  if (n < 2 * m || statistic <= 0) return 1;
  double square = 0;
  double ln_p = 0;
  double slope = 0;
  for (std::size_t column = 0; column < rank_scan_significances.size(); ++column) {
    const double critical = critical_value(n, column);
    if (std::isinf(critical)) return std::exp(ln_p);
    const double next_square = critical * critical;
    const double next_ln_p = std::log(rank_scan_significances[column]);
    if (next_square > square) slope = (next_ln_p - ln_p) / (next_square - square);
    if (statistic < critical) return std::exp(ln_p + slope * (statistic * statistic - square));
    square = next_square;
    ln_p = next_ln_p;
  }
  return std::exp(ln_p + slope * (statistic * statistic - square));
}

}  // namespace results
