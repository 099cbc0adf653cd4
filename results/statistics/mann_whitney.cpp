#include "results/statistics/mann_whitney.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "results/statistics/finite.hpp"
#include "results/statistics/rank_test.hpp"

namespace results {
namespace {

constexpr std::size_t exact_up_to = 3600;  // pairs

// How finely U is counted: in halves where a first and a second value may be equal.
std::size_t steps_per_unit(std::span<const TieGroup> groups) {
  const auto tied = [](const TieGroup& group) { return group.size() > 1; };
  return std::any_of(groups.begin(), groups.end(), tied) ? 2 : 1;
}

// P(steps * U = i) at i = 0 to steps * first * second, where chance says which of the pooled values
// are the first ones. Goes up through the groups: `ways[k]` holds, for k first ones so far, in how
// many ways each U over the second ones so far comes about.
std::vector<double> distribution(std::span<const TieGroup> groups, std::size_t steps,
                                 std::size_t first, std::size_t second) {
  std::vector<std::vector<double>> ways;
  for (std::size_t k = 0; k <= first; ++k) ways.emplace_back(steps * k * second + 1);
  ways[0][0] = 1;
  std::size_t pooled = 0;
  for (const TieGroup& group : groups) {
    const std::size_t size = group.size();
    // From the greatest k down, so that none is read after this group went into it.
    for (std::size_t k = std::min(pooled, first) + 1; k-- > 0;) {
      const std::size_t others = pooled - k;
      if (others > second) break;
      double choices = 1;  // binomial(size, taken)
      for (std::size_t taken = 1; taken <= std::min(size, first - k); ++taken) {
        choices *= static_cast<double>(size - taken + 1) / static_cast<double>(taken);
        if (others + size - taken > second) continue;
        const std::size_t gain = steps * taken * others + steps * taken * (size - taken) / 2;
        const double* from = ways[k].data();
        double* to = ways[k + taken].data() + gain;
        for (std::size_t i = 0; i <= steps * k * others; ++i) to[i] += choices * from[i];
      }
    }
    pooled += size;
  }
  std::vector<double>& all = ways[first];
  const double total = std::accumulate(all.begin(), all.end(), 0.0);
  for (double& each : all) each /= total;
  return std::move(all);
}

double variance(double first, double second, double ties) {
  const double all = first + second;
  return first * second / 12 * (all + 1 - ties / (all * (all - 1)));
}

}  // namespace

MannWhitney mann_whitney(std::span<const double> first, std::span<const double> second) {
  if (first.size() > second.size()) {  // the table has a line for each of the first ones
    MannWhitney mirrored = mann_whitney(second, first);
    mirrored.u = static_cast<double>(first.size() * second.size()) - mirrored.u;
    std::swap(mirrored.p_greater, mirrored.p_less);
    return mirrored;
  }
  require_finite(first, "mann_whitney");
  require_finite(second, "mann_whitney");
  const std::vector<TieGroup> groups =
      tie_groups({first.begin(), first.end()}, {second.begin(), second.end()});
  const std::size_t steps = steps_per_unit(groups);
  std::size_t below = 0;  // second values
  std::size_t stepped = 0;
  for (const TieGroup& group : groups) {
    stepped += steps * group.first * below + steps * group.first * group.second / 2;
    below += group.second;
  }
  const double u = static_cast<double>(stepped) / static_cast<double>(steps);
  const std::size_t pairs = first.size() * second.size();
  const bool exact = pairs <= exact_up_to;
  const Tails tails =
      exact ? exact_tails(distribution(groups, steps, first.size(), second.size()), stepped)
            : normal_tails(u, static_cast<double>(pairs) / 2,
                           variance(static_cast<double>(first.size()),
                                    static_cast<double>(second.size()), tie_correction(groups)));
  return {.u = u,
          .exact = exact,
          .p_greater = tails.greater,
          .p_less = tails.less,
          .p_two_sided = tails.two_sided()};
}

std::vector<double> mann_whitney_null(std::size_t first, std::size_t second) {
  if (first > second) std::swap(first, second);  // without ties U is as likely as its mirror image
  const std::size_t pairs = first * second;
  if (pairs <= exact_up_to) {
    std::vector<double> cumulative =
        distribution(std::vector(first + second, TieGroup{1, 0}), 1, first, second);
    std::partial_sum(cumulative.begin(), cumulative.end(), cumulative.begin());
    return cumulative;
  }
  std::vector<double> cumulative(pairs + 1);
  for (std::size_t u = 0; u <= pairs; ++u) {
    cumulative[u] =
        normal_tails(static_cast<double>(u), static_cast<double>(pairs) / 2,
                     variance(static_cast<double>(first), static_cast<double>(second), 0))
            .less;
  }
  return cumulative;
}

}  // namespace results
