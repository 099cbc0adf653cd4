// Where levels change: each method against cases worked out by hand and against what chance gives.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/statistics/e_divisive.hpp"
#include "results/statistics/ed_pelt.hpp"
#include "results/statistics/rank_scan.hpp"
#include "results/statistics/rank_scan_table.hpp"
#include "results/statistics/ranks.hpp"
#include "tests/rank_scan_null.hpp"
#include "tests/simulation.hpp"

namespace {

using results::e_divisive;
using results::ed_pelt;
using results::rank_scan;
using results::rank_scan_p;
using simulation::Noise;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Values = std::vector<double>;

// Levels of so many values, which change a little from one to the next.
Values levels(const std::vector<std::pair<double, std::size_t>>& parts) {
  Values values;
  for (const auto& [level, length] : parts) {
    for (std::size_t i = 0; i < length; ++i) {
      values.push_back(level + 0.05 * static_cast<double>(values.size() * 7 % 5));
    }
  }
  return values;
}

TEST(MidRanks, share_the_mean_among_equal_values) {
  const auto [ranks, ties] = results::mid_ranks(Values{30, 10, 20, 10, 10});
  EXPECT_THAT(ranks, ElementsAre(5, 2, 4, 2, 2));
  EXPECT_EQ(ties, 3 * 3 * 3 - 3);
}

TEST(RankScan, finds_the_split_that_is_farthest_from_chance) {
  const auto found = rank_scan(Values{3, 1, 5, 2, 4, 9, 6, 7, 10, 8});
  EXPECT_EQ(found.position, 5U);
  EXPECT_DOUBLE_EQ(found.statistic, 12.5 / std::sqrt(5 * 5 * 11.0 / 12));
}

TEST(RankScan, corrects_for_ties) {
  const auto found = rank_scan(Values{0, 0, 0, 0, 0, 1, 1, 1, 1, 1});
  EXPECT_EQ(found.position, 5U);
  EXPECT_DOUBLE_EQ(found.statistic, 3);  // 12.5 / sqrt(25 (11 - 240 / 90) / 12)
}

TEST(RankScan, says_nothing_of_too_few_or_equal_values) {
  EXPECT_EQ(rank_scan(Values{1, 2, 3, 4, 5, 6, 7, 8, 9}).statistic, 0);
  EXPECT_EQ(rank_scan(Values(20, 7.0)).statistic, 0);
  EXPECT_EQ(rank_scan_p(0, 20), 1);
}

TEST(RankScan, depends_on_the_order_of_values_alone) {
  Noise noise(3);
  Values values = simulation::normal(noise, 40);
  const auto before = rank_scan(values);
  for (double& value : values) value = std::exp(3 * value);
  EXPECT_EQ(rank_scan(values).statistic, before.statistic);
  EXPECT_EQ(rank_scan(values).position, before.position);
}

TEST(RankScanP, is_the_tables_at_its_critical_values) {
  for (const auto& [n, critical_values] : results::rank_scan_table) {
    for (std::size_t i = 0; i < critical_values.size(); ++i) {
      if (std::isinf(critical_values[i])) continue;
      EXPECT_NEAR(rank_scan_p(critical_values[i], n), results::rank_scan_significances[i], 1e-12)
          << n;
    }
  }
}

TEST(RankScanP, falls_as_the_statistic_grows) {
  for (const std::size_t n : {10U, 13U, 17U, 45U, 100U, 777U, 5000U}) {
    double last = 1;
    for (double statistic = 0.1; statistic < 8; statistic += 0.1) {
      const double p = rank_scan_p(statistic, n);
      EXPECT_LE(p, last) << n << ' ' << statistic;
      EXPECT_GT(p, 0) << n << ' ' << statistic;
      last = p;
    }
    EXPECT_LT(last, n < 14 ? 0.011 : 0.0011) << n;
  }
}

TEST(RankScanTable, is_what_its_program_writes) {
  const auto& [n, critical_values] = results::rank_scan_table[0];
  auto statistics = rank_scan_null::statistics(n, rank_scan_null::table_samples, n);
  for (std::size_t i = 0; i < critical_values.size(); ++i) {
    const double simulated =
        rank_scan_null::critical_value(statistics, results::rank_scan_significances[i]);
    if (std::isinf(critical_values[i])) {
      EXPECT_TRUE(std::isinf(simulated));
    } else {
      EXPECT_NEAR(simulated, critical_values[i], 1e-9);
    }
  }
}

// Whether `p` of other random orders is at most each significance as often as that says.
template <class P>
bool holds_its_significance(P p, std::size_t n) {
  constexpr std::size_t trials = 20'000;
  const auto statistics = rank_scan_null::statistics(n, trials, 1'000'000 + n);
  return std::ranges::all_of(results::rank_scan_significances, [&](double significance) {
    const auto count = static_cast<std::size_t>(std::ranges::count_if(
        statistics, [&](double statistic) { return p(statistic, n) <= significance; }));
    return !simulation::too_many(count, trials, significance) &&
           !simulation::too_few(count, trials, significance);
  });
}

TEST(RankScanP, holds_in_the_rows_and_between_them) {
  for (const std::size_t n : {30U, 36U, 60U, 90U, 140U}) {
    EXPECT_TRUE(holds_its_significance(rank_scan_p, n)) << n;
  }
}

TEST(RankScanP, would_not_pass_if_it_were_wrong) {
  const auto always = [](double, std::size_t) { return 0.0; };
  const auto never = [](double, std::size_t) { return 1.0; };
  const auto of_one_split = [](double statistic, std::size_t) {
    return std::erfc(statistic / std::sqrt(2.0));  // as if the split had been known before
  };
  const auto of_half_the_values = [](double statistic, std::size_t n) {
    return rank_scan_p(statistic, n / 2);
  };
  EXPECT_FALSE(holds_its_significance(always, 60));
  EXPECT_FALSE(holds_its_significance(never, 60));
  EXPECT_FALSE(holds_its_significance(of_one_split, 60));
  EXPECT_FALSE(holds_its_significance(of_half_the_values, 60));
}

TEST(RankScan, raises_as_few_false_alarms_with_heavy_tails_and_spikes) {
  constexpr std::size_t trials = 1000;
  for (const auto make : {simulation::heavy_tailed, simulation::with_spikes}) {
    Noise noise(11);
    std::size_t alarms = 0;
    for (std::size_t i = 0; i < trials; ++i) {
      if (rank_scan_p(rank_scan(make(noise, 40)).statistic, 40) <= 0.05) ++alarms;
    }
    EXPECT_FALSE(simulation::too_many(alarms, trials, 0.05)) << alarms;
    EXPECT_FALSE(simulation::too_few(alarms, trials, 0.05)) << alarms;
  }
}

TEST(EDivisive, finds_levels) {
  EXPECT_THAT(e_divisive(levels({{0, 10}, {1, 10}})), ElementsAre(10));
  EXPECT_THAT(e_divisive(levels({{0, 20}, {1, 15}, {3, 12}, {1, 30}})), ElementsAre(20, 35, 47));
  EXPECT_THAT(e_divisive(levels({{0, 40}, {1, 6}, {0, 40}})), ElementsAre(40, 46));
}

TEST(EDivisive, finds_nothing_where_nothing_changes) {
  EXPECT_THAT(e_divisive(Values(50, 1.0)), IsEmpty());
  EXPECT_THAT(e_divisive(Values{0, 0, 0, 0, 1, 1, 1, 1, 1}), IsEmpty()) << "too few for two levels";
  Values spike = levels({{0, 30}});
  spike[10] = 100;
  EXPECT_THAT(e_divisive(spike), IsEmpty());
}

TEST(EDivisive, says_the_same_again) {
  Noise noise(5);
  const Values values = simulation::heavy_tailed(noise, 60);
  EXPECT_EQ(e_divisive(values, {.significance = 0.3, .seed = 9}),
            e_divisive(values, {.significance = 0.3, .seed = 9}));
}

// Its first split is a permutation test: exact, so that chance splits neither more nor less.
template <class Method>
bool splits_as_often_as_chance(Method method, double significance) {
  constexpr std::size_t trials = 1000;
  for (const auto make : {simulation::normal, simulation::heavy_tailed, simulation::with_spikes}) {
    Noise noise(7);
    std::size_t splits = 0;
    for (std::size_t i = 0; i < trials; ++i) {
      if (!method(make(noise, 24)).empty()) ++splits;
    }
    if (simulation::too_many(splits, trials, significance)) return false;
    if (simulation::too_few(splits, trials, significance)) return false;
  }
  return true;
}

TEST(EDivisive, splits_noise_as_often_as_its_significance_says) {
  const auto with = [](std::size_t permutations, double significance) {
    return [=](const Values& values) {
      return e_divisive(values, {.permutations = permutations, .significance = significance});
    };
  };
  EXPECT_TRUE(splits_as_often_as_chance(with(19, 0.05), 0.05));
  EXPECT_TRUE(splits_as_often_as_chance(with(99, 0.05), 0.05));
  EXPECT_TRUE(splits_as_often_as_chance(with(9, 0.1), 0.1));
  EXPECT_FALSE(splits_as_often_as_chance(with(9, 0.2), 0.05)) << "a wrong one would not pass";
  EXPECT_FALSE(
      splits_as_often_as_chance([](const Values&) { return std::vector<std::size_t>{}; }, 0.05));
}

// The best segmentation by the published cost, over all segmentations: without pruning, and
// counting each segment's values anew.
std::vector<std::size_t> best_of_all_segmentations(const Values& values, std::size_t minimum) {
  const auto n = static_cast<double>(values.size());
  const double k = std::ceil(4 * std::log(n));
  Values sorted = values;
  std::ranges::sort(sorted);
  const auto cost = [&](std::size_t first, std::size_t end) {
    const auto length = static_cast<double>(end - first);
    double sum = 0;
    for (double i = 1; i <= k; ++i) {
      const double share = 1 / (1 + std::pow(2 * n - 1, -(-1 + (2 * i - 1) / k)));
      const double quantile = sorted[static_cast<std::size_t>(share * (n - 1))];
      double below = 0;
      for (std::size_t j = first; j < end; ++j) {
        below += values[j] < quantile ? 1 : values[j] == quantile ? 0.5 : 0;
      }
      const double fit = below / length;
      if (fit > 0 && fit < 1) sum += fit * std::log(fit) + (1 - fit) * std::log(1 - fit);
    }
    return -2 * std::log(2 * n - 1) / k * length * sum;
  };
  Values best(values.size() + 1, std::numeric_limits<double>::infinity());
  std::vector<std::vector<std::size_t>> changes(values.size() + 1);
  best[0] = -3 * std::log(n);
  for (std::size_t end = minimum; end <= values.size(); ++end) {
    for (std::size_t first = 0; first + minimum <= end; ++first) {
      const double all = best[first] + cost(first, end) + 3 * std::log(n);
      if (all >= best[end]) continue;
      best[end] = all;
      changes[end] = changes[first];
      if (first > 0) changes[end].push_back(first);
    }
  }
  return changes[values.size()];
}

TEST(EdPelt, finds_levels) {
  EXPECT_THAT(ed_pelt(levels({{0, 10}, {1, 10}})), ElementsAre(10));
  EXPECT_THAT(ed_pelt(levels({{0, 40}, {1, 8}, {0, 40}})), ElementsAre(40, 48));
}

TEST(EdPelt, finds_nothing_where_nothing_changes) {
  EXPECT_THAT(ed_pelt(Values(50, 1.0)), IsEmpty());
  EXPECT_THAT(ed_pelt(Values{}), IsEmpty());
  EXPECT_THAT(ed_pelt(Values{1, 2, 3}), IsEmpty());
  Values spike = levels({{0, 30}});
  spike[10] = 100;
  EXPECT_THAT(ed_pelt(spike), IsEmpty());
}

TEST(EdPelt, loses_nothing_by_pruning) {
  Noise noise(13);
  std::size_t found = 0;
  for (int trial = 0; trial < 40; ++trial) {
    Values values = simulation::heavy_tailed(noise, 40);
    for (std::size_t i = 15; i < 28; ++i) values[i] = std::round(values[i] + 3);
    const auto changes = ed_pelt(values, 4);
    EXPECT_EQ(changes, best_of_all_segmentations(values, 4)) << trial;
    found += changes.size();
  }
  EXPECT_GT(found, 40U) << "there was nothing to compare";
}

}  // namespace
