// What the gate decides, on made-up noise whose answer is known: how often it is red without a
// reason, and how often it finds what is there.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/compare/judge.hpp"
#include "results/gate/stages.hpp"

namespace {

using results::Comparison;
using results::Decision;
using results::Paired;
using results::Policy;
using results::Verdict;
using ::testing::HasSubstr;

const std::string metric = "real_time_ns";

// Differences of identical builds, and what is added to the head of some rows.
struct Noise {
  double sigma = 0.02;              // of a block
  double spikes = 0.05;             // share of blocks that are five times as noisy
  double serial = 0;                // share of one block's noise that the next one has too
  std::vector<double> slower = {};  // by row: an effect; none beyond its end
};

class Machine {
 public:
  Machine(Noise noise, std::uint64_t seed) : noise_(std::move(noise)), random_(seed) {}

  Paired measure(const std::vector<std::size_t>& rows, int blocks, std::size_t all_rows) {
    Paired paired;
    paired.rows.resize(all_rows);
    paired.failures.resize(all_rows);
    for (const std::size_t row : rows) {
      double last = 0;
      for (int block = 0; block < blocks; ++block) {
        const double scale = uniform_(random_) < noise_.spikes ? 5 : 1;
        last = noise_.serial * last + noise_.sigma * scale * normal_(random_);
        const double added = row < noise_.slower.size() ? noise_.slower[row] : 0;
        paired.rows[row][metric].push_back({.base = 5, .head = 5 + last + added});
      }
    }
    return paired;
  }

 private:
  Noise noise_;
  std::mt19937_64 random_;
  std::normal_distribution<> normal_;
  std::uniform_real_distribution<> uniform_;
};

std::vector<std::string> names(std::size_t count) {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < count; ++i) rows.push_back(fmt::format("row/k:{}", i));
  return rows;
}

Decision decide(std::size_t rows, const Noise& noise, std::uint64_t seed,
                const Policy& policy = {}) {
  Machine machine(noise, seed);
  return results::decide(
      names(rows), policy,
      [&](const std::string& row, const std::string&) { return policy.floor(row); },
      [&](const std::vector<std::size_t>& wanted, int blocks, const std::string&) {
        return machine.measure(wanted, blocks, rows);
      });
}

long count(const Decision& decision, Verdict verdict) {
  return std::ranges::count(decision.rows, verdict, &Comparison::verdict);
}

// Of so many suites, those with a red row.
int red_suites(int suites, std::size_t rows, const Noise& noise, const Policy& policy = {}) {
  int red = 0;
  for (int suite = 0; suite < suites; ++suite) {
    red += count(decide(rows, noise, static_cast<std::uint64_t>(suite), policy),
                 Verdict::regression) > 0;
  }
  return red;
}

TEST(GateStages, identical_builds_are_not_red) {
  EXPECT_EQ(red_suites(300, 300, {.sigma = 0.02}), 0);
  EXPECT_EQ(red_suites(100, 100, {.sigma = 0.10}), 0);
  EXPECT_EQ(red_suites(100, 100, {.sigma = 0.03, .serial = 0.3}), 0);
}

// Were every suspect taken for a regression, nearly every suite would be red: the check above can
// fail.
TEST(GateStages, without_the_second_stage_noise_would_be_red) {
  Policy screen_only;
  screen_only.floor_percent = 0;
  int with_suspects = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    with_suspects += decide(100, {}, seed, screen_only).stages.size() > 1;
  }
  EXPECT_GT(with_suspects, 20);
  EXPECT_LE(red_suites(30, 100, {}, screen_only), 1) << "the level is 1 % of suites";
}

TEST(GateStages, what_got_slower_is_found) {
  for (const double share : {0.20, 0.10, 0.05}) {
    int found = 0;
    constexpr int suites = 40;
    for (std::uint64_t seed = 0; seed < suites; ++seed) {
      const Decision decision = decide(20, {.sigma = 0.015, .slower = {std::log1p(share)}}, seed);
      const bool seen = decision.rows.front().verdict == Verdict::regression;
      EXPECT_EQ(count(decision, Verdict::regression), seen) << "the others are as they were";
      found += seen;
    }
    EXPECT_GE(found, suites * 9 / 10) << share;
  }
}

TEST(GateStages, what_is_within_the_floor_is_unchanged) {
  const Decision decision = decide(5, {.sigma = 0.004, .spikes = 0, .slower = {0.01, -0.01}}, 1);
  EXPECT_EQ(count(decision, Verdict::unchanged), 5);
}

TEST(GateStages, an_improvement_is_told_and_is_not_red) {
  const Decision decision = decide(5, {.sigma = 0.01, .slower = {-0.2}}, 1);
  EXPECT_EQ(decision.rows.front().verdict, Verdict::improvement);
  EXPECT_NEAR(decision.rows.front().slowdown(), std::exp(-0.2), 0.02);
}

TEST(GateStages, a_row_too_noisy_to_tell_is_inconclusive) {
  const Decision decision = decide(1, {.sigma = 0.3}, 3);
  EXPECT_EQ(decision.rows.front().verdict, Verdict::inconclusive);
  EXPECT_GT(decision.rows.front().minimum_detectable_effect, 0.1);
}

// A suspect stays open when it is a little above the floor; then it is measured once more.
TEST(GateStages, an_open_suspect_gets_a_third_stage) {
  bool third = false;
  for (std::uint64_t seed = 0; seed < 40 && !third; ++seed) {
    const Decision decision = decide(3, {.sigma = 0.02, .slower = {0.033}}, seed);
    third = decision.stages.size() == 3;
    if (!third) continue;
    EXPECT_THAT(decision.stages.back(), HasSubstr("confirm again: "));
    EXPECT_EQ(decision.rows.front().n, 2 * Policy().confirm_pairs) << "both fresh stages count";
  }
  EXPECT_TRUE(third);
}

TEST(GateStages, more_is_better_of_a_rate) {
  Policy policy;
  policy.metrics = {"items_per_second"};
  const Decision decision = results::decide(
      {"rate"}, policy, [](const auto&, const auto&) { return 0.02; },
      [&](const auto&, int blocks, const auto&) {
        Paired paired;
        paired.failures.resize(1);
        paired.rows.resize(1);
        for (int i = 0; i < blocks; ++i)
          paired.rows[0]["items_per_second"].push_back({.base = 7, .head = 6.8 + 0.001 * (i % 3)});
        return paired;
      });
  EXPECT_EQ(decision.rows.front().verdict, Verdict::regression);
  EXPECT_NEAR(decision.rows.front().slowdown(), std::exp(0.199), 1e-3);
}

TEST(GateStages, a_metric_that_nobody_reports_is_missing) {
  Policy policy;
  policy.metrics = {metric, "wings"};
  const Decision decision = decide(1, {}, 1, policy);
  ASSERT_EQ(decision.rows.size(), 2U);
  EXPECT_EQ(decision.rows[1].verdict, Verdict::missing);
  EXPECT_EQ(decision.rows[1].metric, "wings");
}

TEST(GateStages, a_row_that_fails_while_it_is_confirmed_has_failed) {
  Machine machine({.sigma = 0.01, .slower = {0.2}}, 1);
  const Decision decision = results::decide(
      names(2), {}, [](const auto&, const auto&) { return 0.02; },
      [&](const auto& rows, int blocks, const std::string& stage) {
        Paired paired = machine.measure(rows, blocks, 2);
        if (stage != "screen") paired.failures[0] = "it crashed";
        return paired;
      });
  EXPECT_EQ(decision.rows[0].verdict, Verdict::failed);
  EXPECT_EQ(decision.rows[0].reason, "it crashed");
}

TEST(GateStages, an_unfit_machine_ends_it) {
  int calls = 0;
  const Decision decision = results::decide(
      names(2), {}, [](const auto&, const auto&) { return 0.02; },
      [&](const auto& rows, int blocks, const auto&) {
        ++calls;
        Paired paired = Machine({.slower = {0.5}}, 1).measure(rows, blocks, 2);
        paired.unfit = true;
        paired.discarded = {"the hypervisor took 30 % of the CPU time"};
        return paired;
      });
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(decision.unfit, HasSubstr("hypervisor"));
  EXPECT_EQ(count(decision, Verdict::regression), 0);
}

// Every block may be thrown out: then nothing is known of a row, and that is not that it is
// missing.
TEST(GateStages, on_an_unfit_machine_no_row_is_missing) {
  const Decision decision = results::decide(
      names(2), {}, [](const auto&, const auto&) { return 0.02; },
      [](const auto& rows, int, const auto&) {
        Paired paired = Machine({}, 1).measure(rows, 0, 2);
        paired.unfit = true;
        paired.discarded = {"the hypervisor took 30 % of the CPU time"};
        return paired;
      });
  EXPECT_EQ(count(decision, Verdict::missing), 0);
  EXPECT_EQ(count(decision, Verdict::inconclusive), 2);
  EXPECT_THAT(decision.rows.front().reason, HasSubstr("disturbed"));
}

TEST(GateStages, a_budget_that_ends_while_confirming_leaves_suspects_open) {
  const Decision decision = results::decide(
      names(2), {}, [](const auto&, const auto&) { return 0.02; },
      [&](const auto& rows, int blocks, const std::string& stage) {
        Paired paired = Machine({.sigma = 0.01, .slower = {0.5}}, 1)
                            .measure(rows, stage == "screen" ? blocks : 0, 2);
        paired.complete = stage == "screen";
        return paired;
      });
  EXPECT_FALSE(decision.complete);
  EXPECT_EQ(decision.rows[0].verdict, Verdict::inconclusive);
  EXPECT_THAT(decision.rows[0].reason, HasSubstr("no time to confirm"));
}

}  // namespace
