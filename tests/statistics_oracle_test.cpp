// Statistics against tables that golden/statistics/make_oracle.py wrote with SciPy and by counting.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "results/statistics/bootstrap.hpp"
#include "results/statistics/hodges_lehmann.hpp"
#include "results/statistics/kolmogorov_smirnov.hpp"
#include "results/statistics/mann_whitney.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"
#include "results/statistics/multiple_testing.hpp"
#include "results/statistics/paired_test.hpp"
#include "results/statistics/signed_rank.hpp"

namespace {

using Json = nlohmann::json;
using Numbers = std::vector<double>;

constexpr double exact = 1e-12;
constexpr double approximate = 1e-9;

Json table(const std::string& name) {
  const auto path = std::filesystem::path(PROJECT_SOURCE_DIR) / "tests/golden/statistics";
  Json cases = Json::parse(std::ifstream(path / (name + ".json")));
  EXPECT_FALSE(cases.empty()) << name;
  return cases;
}

// As many digits of a p of 10^-9 are right as of one of 0.5.
void expect_near(double value, const Json& expected, double tolerance, const std::string& what) {
  const auto wanted = expected.get<double>();
  EXPECT_NEAR(value, wanted, tolerance * std::abs(wanted)) << what;
}

void expect_all_near(const Numbers& values, const Json& expected, const std::string& what) {
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (std::size_t i = 0; i < values.size(); ++i) expect_near(values[i], expected[i], exact, what);
}

// The p-values of a test with one, and whether it says how it got them.
template <class Test>
void expect_p_values(const Test& test, const Json& expected) {
  const std::string what = expected.dump();
  const std::string how = expected["how"];
  EXPECT_EQ(test.exact, how != "scipy approx" && how != "scipy asymptotic") << what;
  const double tolerance = test.exact ? exact : approximate;
  expect_near(test.p_greater, expected["p_greater"], tolerance, what);
  expect_near(test.p_less, expected["p_less"], tolerance, what);
  expect_near(test.p_two_sided, expected["p_two_sided"], tolerance, what);
}

TEST(StatisticsOracle, signed_rank) {
  for (const Json& one : table("signed_rank")) {
    const Numbers differences = one["differences"];
    const auto test = results::signed_rank(differences, one["location"]);
    EXPECT_EQ(test.n, one["n"].get<std::size_t>()) << one;
    EXPECT_EQ(test.zeros, differences.size() - test.n) << one;
    EXPECT_EQ(test.w_plus, one["w_plus"].get<double>()) << one;
    expect_p_values(test, one);
  }
}

TEST(StatisticsOracle, mann_whitney) {
  for (const Json& one : table("mann_whitney")) {
    const Numbers first = one["first"];
    const Numbers second = one["second"];
    const auto test = results::mann_whitney(first, second);
    EXPECT_EQ(test.u, one["u"].get<double>()) << one;
    expect_p_values(test, one);
  }
}

void expect_estimate(const results::HodgesLehmann& found, const Json& expected) {
  const std::string what = expected.dump();
  expect_near(found.estimate, expected["estimate"], exact, what);
  expect_near(found.interval.lower, expected["lower"], exact, what);
  expect_near(found.interval.upper, expected["upper"], exact, what);
  expect_near(found.interval.coverage, expected["coverage"], exact, what);
}

TEST(StatisticsOracle, hodges_lehmann) {
  for (const Json& one : table("hodges_lehmann")) {
    const Numbers values = one["values"];
    expect_estimate(results::hodges_lehmann(values, one["confidence"]), one);
  }
}

TEST(StatisticsOracle, hodges_lehmann_shift) {
  for (const Json& one : table("hodges_lehmann_shift")) {
    const Numbers base = one["base"];
    const Numbers head = one["head"];
    expect_estimate(results::hodges_lehmann_shift(base, head, one["confidence"]), one);
  }
}

TEST(StatisticsOracle, kolmogorov_smirnov) {
  for (const Json& one : table("kolmogorov_smirnov")) {
    const Numbers first = one["first"];
    const Numbers second = one["second"];
    const auto test = results::kolmogorov_smirnov(first, second);
    EXPECT_TRUE(test.exact) << one;
    expect_near(test.d, one["d"], exact, one.dump());
    expect_near(test.p, one["p"], exact, one.dump());
  }
}

TEST(StatisticsOracle, kolmogorov_smirnov_of_large_samples) {
  for (const Json& one : table("kolmogorov_smirnov_large")) {
    Numbers first;
    Numbers second;
    for (int i = 0; i < one["count"].get<int>(); ++i) {
      first.push_back(i);
      second.push_back(i + one["moved"].get<int>());
    }
    const auto test = results::kolmogorov_smirnov(first, second);
    EXPECT_FALSE(test.exact) << one;
    expect_near(test.d, one["d"], exact, one.dump());
    expect_near(test.p, one["p"], approximate, one.dump());
  }
}

TEST(StatisticsOracle, multiple_testing) {
  for (const Json& one : table("multiple_testing")) {
    const Numbers p = one["p"];
    expect_all_near(results::holm(p), one["holm"], one.dump());
    expect_all_near(results::benjamini_hochberg(p), one["benjamini_hochberg"], one.dump());
    expect_all_near(results::benjamini_yekutieli(p), one["benjamini_yekutieli"], one.dump());
  }
}

TEST(StatisticsOracle, minimum_detectable_effect) {
  for (const Json& one : table("minimum_detectable_effect")) {
    const Numbers values = one["values"];
    const results::TestDesign design{.alpha = one["alpha"], .power = one["power"]};
    const double sigma = results::robust_sigma(values);
    expect_near(sigma, one["sigma"], approximate, one.dump());
    expect_near(results::minimum_detectable_effect(sigma, values.size(), design), one["effect"],
                approximate, one.dump());
    EXPECT_EQ(results::pairs_needed(sigma, one["looked_for"], design),
              one["pairs"].get<std::size_t>())
        << one;
  }
}

TEST(StatisticsOracle, bootstrap_spends_a_seed_as_another_program_does) {
  for (const Json& one : table("bootstrap")) {
    const Numbers base = one["base"];
    const Numbers head = one["head"];
    const auto interval = results::ratio_of_medians_interval(
        base, head,
        {.seed = one["seed"], .resamples = one["resamples"], .confidence = one["confidence"]});
    expect_near(interval.lower, one["lower"], exact, one.dump());
    expect_near(interval.upper, one["upper"], exact, one.dump());
    EXPECT_EQ(interval.coverage, one["confidence"].get<double>());
  }
}

TEST(StatisticsOracle, paired_test) {
  for (const Json& one : table("paired_test")) {
    const Numbers differences = one["differences"];
    const auto test = results::paired_test(differences, one["floor"]);
    EXPECT_EQ(test.n, differences.size());
    expect_near(test.effect, one["effect"], exact, one.dump());
    expect_near(test.p_regression, one["p_regression"], exact, one.dump());
    expect_near(test.p_improvement, one["p_improvement"], exact, one.dump());
    expect_near(test.p_unchanged, one["p_unchanged"], exact, one.dump());
  }
}

}  // namespace
