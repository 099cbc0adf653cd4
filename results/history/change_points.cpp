#include "results/history/change_points.hpp"

#include <algorithm>

#include "results/statistics/e_divisive.hpp"
#include "results/statistics/ed_pelt.hpp"
#include "results/statistics/rank_scan.hpp"

namespace results {
namespace {

constexpr std::size_t tolerance = 2;  // values between what two methods call the same change

// E-divisive only proposes, at 5 %; how sure a change is, the rank scan says. So few orders are
// exact as well, and a window without a change is done after four on average.
std::vector<std::size_t> proposals(std::span<const double> values, std::uint64_t seed) {
  return e_divisive(values, {.permutations = 19, .significance = 0.05, .seed = seed});
}

using Positions = std::vector<std::size_t>;

bool has(const Positions& positions, std::size_t position) {
  return std::ranges::any_of(positions, [&](std::size_t other) {
    return std::max(other, position) - std::min(other, position) <= tolerance;
  });
}

Positions agreed_in_window(std::span<const double> values, std::uint64_t seed) {
  const auto by_distance = proposals(values, seed);
  if (by_distance.empty()) return {};  // ED-PELT, which takes longer, need not be asked
  const auto by_cost = ed_pelt(values);
  Positions proposed = by_distance;
  for (const std::size_t position : by_cost) {
    if (!has(by_distance, position)) proposed.push_back(position);
  }
  std::ranges::sort(proposed);
  // Among many levels one method may overlook what it finds when shown the two next to it alone.
  Positions agreed;
  for (std::size_t i = 0; i < proposed.size(); ++i) {
    const std::size_t first = i == 0 ? 0 : proposed[i - 1];
    const std::size_t end = i + 1 == proposed.size() ? values.size() : proposed[i + 1];
    const auto around = values.subspan(first, end - first);
    const auto confirmed = [&](const Positions& found, auto&& ask) {
      return has(found, proposed[i]) || has(ask(around), proposed[i] - first);
    };
    if (confirmed(by_distance, [&](auto v) { return proposals(v, seed); }) &&
        confirmed(by_cost, [](auto v) { return ed_pelt(v); })) {
      agreed.push_back(proposed[i]);
    }
  }
  return agreed;
}

}  // namespace

std::vector<std::size_t> agreed_change_points(std::span<const double> values, std::size_t window,
                                              std::uint64_t seed) {
  std::vector<std::size_t> found;
  for (std::size_t begin = 0; begin < values.size();) {
    const std::size_t end = std::min(begin + window, values.size());
    const bool last = end == values.size();
    for (const std::size_t position : agreed_in_window(values.subspan(begin, end - begin), seed)) {
      // What is near the end of a window is seen better from the next one.
      if (last || position <= window * 3 / 4) found.push_back(begin + position);
    }
    if (last) break;
    begin = std::max(begin + window / 2, found.empty() ? 0 : found.back());
  }
  return found;
}

std::vector<ChangePoint> confirmed_change_points(std::span<const double> values,
                                                 std::vector<std::size_t> candidates,
                                                 std::size_t window, double significance,
                                                 double inflation) {
  std::vector<ChangePoint> found;
  for (const std::size_t position : candidates) found.push_back({.position = position, .p = 0});
  const auto judge = [&](std::size_t i) {
    const std::size_t position = found[i].position;
    const std::size_t before = i == 0 ? 0 : found[i - 1].position;
    const std::size_t after = i + 1 == found.size() ? values.size() : found[i + 1].position;
    const std::size_t first = std::max(before, position - std::min(position, window));
    const std::size_t end = std::min(after, position + window);
    const auto around = values.subspan(first, end - first);
    found[i].p = rank_scan_p(rank_scan(around).statistic / inflation, around.size());
  };
  for (std::size_t i = 0; i < found.size(); ++i) judge(i);
  while (!found.empty()) {
    const auto least_sure = std::ranges::max_element(found, {}, &ChangePoint::p);
    if (least_sure->p <= significance) break;
    const auto next = found.erase(least_sure);
    const auto i = static_cast<std::size_t>(next - found.begin());
    if (i > 0) judge(i - 1);
    if (i < found.size()) judge(i);
  }
  return found;
}

}  // namespace results
