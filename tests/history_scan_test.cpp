// What a scan says of histories: cases worked out by hand.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/history/scan.hpp"
#include "tests/simulation.hpp"

namespace {

using results::ChangeState;
using results::scan;
using results::Scan;
using results::Series;
using simulation::Noise;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr double percent = 0.01;

// Levels of so many runs, in percent, with noise of 1 %; runs count from 0.
Series history(std::uint64_t seed, const std::vector<std::pair<double, std::size_t>>& levels) {
  Noise noise(seed);
  Series series{.row = "row", .metric = "metric", .environment = "here", .mechanism = "pipe"};
  for (const auto& [level, runs] : levels) {
    for (std::size_t i = 0; i < runs; ++i) {
      series.points.push_back({.run = static_cast<std::int64_t>(series.points.size()),
                               .value = percent * (level + noise.normal())});
    }
  }
  return series;
}

std::vector<std::int64_t> runs_of(const Scan& scanned, ChangeState state) {
  std::vector<std::int64_t> runs;
  for (const auto& change : scanned.changes) {
    if (change.state == state) runs.push_back(change.run);
  }
  return runs;
}

TEST(Scan, of_nothing_says_nothing) {
  EXPECT_THAT(scan({}).changes, IsEmpty());
  EXPECT_THAT(scan({Series{}}).changes, IsEmpty());
  EXPECT_THAT(scan({history(1, {{0, 1}})}).changes, IsEmpty());
  EXPECT_THAT(scan({history(1, {{0, 40}})}).changes, IsEmpty());
  Series equal = history(1, {{0, 40}});
  for (auto& point : equal.points) point.value = 1;
  EXPECT_THAT(scan({equal}).changes, IsEmpty());
}

TEST(Scan, tells_how_large_a_regression_is_and_how_sure) {
  const Scan found = scan({history(2, {{0, 40}, {10, 15}})});
  ASSERT_THAT(found.changes, SizeIs(1));
  const auto& change = found.changes[0];
  EXPECT_EQ(change.row, "row");
  EXPECT_EQ(change.metric, "metric");
  EXPECT_EQ(change.environment, "here");
  EXPECT_EQ(change.mechanism, "pipe");
  EXPECT_EQ(change.state, ChangeState::confirmed);
  EXPECT_EQ(change.run, 40);
  EXPECT_EQ(change.previous_run, 39);
  EXPECT_EQ(change.runs_before, 30U) << "the nearest";
  EXPECT_EQ(change.runs_after, 15U);
  EXPECT_TRUE(change.worse());
  EXPECT_NEAR(change.effect, 10 * percent, percent);
  EXPECT_NEAR(change.after - change.before, 10 * percent, percent);
  EXPECT_LT(change.interval.lower, change.effect);
  EXPECT_GT(change.interval.upper, change.effect);
  EXPECT_LT(change.p, 0.0001);
  EXPECT_TRUE(change.alert);
  ASSERT_THAT(found.alerts, SizeIs(1));
  EXPECT_EQ(found.alerts[0].lead, 0U);
  EXPECT_THAT(found.alerts[0].also, IsEmpty());
}

TEST(Scan, alerts_to_regressions_beyond_the_floor_only) {
  const Scan improved = scan({history(3, {{0, 40}, {-10, 15}})});
  ASSERT_THAT(improved.changes, SizeIs(1));
  EXPECT_LT(improved.changes[0].effect, 0);
  EXPECT_THAT(improved.alerts, IsEmpty());

  Series small = history(4, {{0, 60}, {4, 30}});
  small.floor = 5 * percent;
  const Scan within = scan({small});
  EXPECT_THAT(runs_of(within, ChangeState::confirmed), SizeIs(1));
  EXPECT_THAT(within.alerts, IsEmpty());
  small.floor = 2 * percent;
  EXPECT_THAT(scan({small}).alerts, SizeIs(1));
}

TEST(Scan, sees_when_a_level_came_back) {
  const Scan found = scan({history(5, {{0, 40}, {10, 20}, {0.5, 40}})});
  ASSERT_THAT(found.changes, SizeIs(2));
  EXPECT_EQ(found.changes[0].state, ChangeState::recovered);
  EXPECT_EQ(found.changes[1].state, ChangeState::confirmed);
  const Scan half = scan({history(5, {{0, 40}, {10, 20}, {5, 40}})});
  EXPECT_THAT(runs_of(half, ChangeState::recovered), IsEmpty());
}

TEST(Scan, compares_within_a_segment_only) {
  Series moved = history(6, {{0, 40}, {30, 40}});
  for (std::size_t i = 40; i < 80; ++i) moved.points[i].segment = 1;
  EXPECT_THAT(scan({moved}).changes, IsEmpty());
}

TEST(Scan, marks_a_spike_and_changes_nothing) {
  Series spiky = history(7, {{0, 60}});
  spiky.points[30].value += 1;
  const Scan found = scan({spiky});
  EXPECT_THAT(found.changes, IsEmpty());
  ASSERT_THAT(found.outliers, SizeIs(1));
  EXPECT_EQ(found.outliers[0].series, 0U);
  EXPECT_EQ(found.outliers[0].run, 30);
  spiky.points.erase(spiky.points.begin() + 31, spiky.points.end());
  EXPECT_THAT(scan({spiky}).changes, IsEmpty()) << "the latest run is a spike";
}

TEST(Scan, suspects_what_is_too_young_to_confirm) {
  const Scan young = scan({history(8, {{0, 100}, {6, 4}})});
  ASSERT_THAT(young.changes, SizeIs(1));
  EXPECT_EQ(young.changes[0].state, ChangeState::suspect);
  EXPECT_NEAR(static_cast<double>(young.changes[0].run), 100, 1);
  EXPECT_TRUE(young.changes[0].worse());
  EXPECT_FALSE(young.changes[0].alert);
  EXPECT_THAT(young.alerts, IsEmpty());
  const Scan better = scan({history(8, {{0, 100}, {-6, 4}})});
  ASSERT_THAT(better.changes, SizeIs(1));
  EXPECT_FALSE(better.changes[0].worse());
  EXPECT_THAT(runs_of(scan({history(8, {{0, 100}, {6, 12}})}), ChangeState::suspect), IsEmpty())
      << "it is confirmed by then";
}

TEST(Scan, makes_one_alert_of_one_cause) {
  std::vector<Series> suite;
  for (std::uint64_t i = 0; i < 4; ++i) {
    suite.push_back(history(10 + i, {{0, 40}, {i == 2 ? 20.0 : 10.0, 20}}));
  }
  suite[3].mechanism = "futex";
  const Scan found = scan(suite);
  ASSERT_THAT(found.changes, SizeIs(4));
  ASSERT_THAT(found.alerts, SizeIs(2));
  EXPECT_EQ(found.changes[found.alerts[0].lead].series, 2U) << "the largest";
  EXPECT_THAT(found.alerts[0].also, SizeIs(2));
  EXPECT_EQ(found.changes[found.alerts[1].lead].series, 3U);
}

TEST(Scan, asks_for_more_where_more_series_are_looked_at) {
  Series weak = history(15, {{0, 50}, {3, 6}});
  weak.floor = 0;
  const Scan alone = scan({weak});
  ASSERT_THAT(alone.changes, SizeIs(1));
  EXPECT_TRUE(alone.changes[0].alert);
  EXPECT_EQ(alone.changes[0].p_among, alone.changes[0].p);

  std::vector<Series> suite{weak};
  for (std::uint64_t i = 1; i < 300; ++i) suite.push_back(history(1000 + i, {{0, 57}}));
  for (Series& one : suite) one.has_reference = true;
  const Scan among = scan(suite);
  ASSERT_FALSE(among.changes.empty());
  const auto& change = among.changes.back();
  ASSERT_EQ(change.series, 0U);
  EXPECT_GT(change.p_among, 100 * change.p);
  EXPECT_FALSE(change.alert);
}

TEST(Scan, subtracts_what_all_rows_do_together) {
  Noise noise(20);
  std::vector<Series> suite;
  for (std::uint64_t i = 0; i < 12; ++i) {
    suite.push_back(history(40 + i, {{0, 40}, {i == 5 ? 10.0 : 0.0, 20}}));
  }
  for (std::size_t run = 0; run < 60; ++run) {
    // The machine is up to 30 % slower in some runs, and 8 % slower for good from the 25th on.
    const double together = percent * (30 * std::pow(noise.uniform(), 4) + (run < 25 ? 0 : 8));
    for (Series& one : suite) one.points[run].value += together;
  }
  const Scan found = scan(suite);
  ASSERT_THAT(found.changes, SizeIs(2));
  EXPECT_EQ(found.changes[0].series, results::common_mode);
  EXPECT_EQ(found.changes[0].environment, "here");
  EXPECT_EQ(found.changes[0].metric, "metric");
  EXPECT_EQ(found.changes[0].row, "");
  EXPECT_NEAR(static_cast<double>(found.changes[0].run), 25, 2);
  EXPECT_EQ(found.changes[1].series, 5U);
  EXPECT_EQ(found.changes[1].run, 40);
  EXPECT_NEAR(found.changes[1].effect, 10 * percent, 1.5 * percent);
}

TEST(Scan, leaves_ratios_to_a_reference_as_they_are) {
  std::vector<Series> suite;
  for (std::uint64_t i = 0; i < 12; ++i) {
    suite.push_back(history(50 + i, {{0, 40}, {10, 20}}));
    suite.back().has_reference = true;
  }
  EXPECT_THAT(runs_of(scan(suite), ChangeState::confirmed), SizeIs(12));
}

TEST(Scan, doubts_a_history_that_changes_in_one_direction_only) {
  std::vector<Series> suite;
  for (std::uint64_t i = 0; i < 9; ++i) {
    suite.push_back(history(70 + i, {{0, 40}, {10, 20}}));
    suite.back().mechanism = std::to_string(i);
  }
  const auto biased = scan(suite).symmetry;
  EXPECT_EQ(biased.regressions, 9U);
  EXPECT_EQ(biased.improvements, 0U);
  EXPECT_DOUBLE_EQ(biased.p, 2 / std::pow(2.0, 9));
  EXPECT_TRUE(biased.biased);

  for (Series& one : suite) one.mechanism = "pipe";
  EXPECT_EQ(scan(suite).symmetry.regressions, 1U) << "one cause counts once";
  EXPECT_FALSE(scan(suite).symmetry.biased);

  for (std::uint64_t i = 0; i < 9; ++i) {
    if (i % 2 == 0) suite[i] = history(70 + i, {{0, 40}, {-10, 20}});
    suite[i].mechanism = std::to_string(i);
  }
  const auto fair = scan(suite).symmetry;
  EXPECT_EQ(fair.regressions, 4U);
  EXPECT_EQ(fair.improvements, 5U);
  EXPECT_FALSE(fair.biased);
}

TEST(Scan, says_of_complete_windows_what_it_said_before) {
  const Series longer = history(90, {{0, 120}, {5, 100}, {0, 300}});
  Series shorter = longer;
  shorter.points.resize(400);
  EXPECT_EQ(runs_of(scan({shorter}), ChangeState::confirmed),
            runs_of(scan({longer}), ChangeState::confirmed));
}

}  // namespace
