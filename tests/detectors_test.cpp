// What is far off, what depends on what came before, and what drifts away.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/statistics/autocorrelation.hpp"
#include "results/statistics/cusum.hpp"
#include "results/statistics/outliers.hpp"
#include "tests/simulation.hpp"

namespace {

using simulation::Noise;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Values = std::vector<double>;

TEST(Outliers, are_more_than_five_deviations_from_the_median) {
  // Median 5, median distance 2: the limit is 5 * 1.4826 * 2 = 14.826.
  EXPECT_THAT(results::outliers(Values{1, 3, 5, 7, 20}), ElementsAre(4));
  EXPECT_THAT(results::outliers(Values{1, 3, 5, 7, 19.8}), IsEmpty());
  EXPECT_THAT(results::outliers(Values{-9.9, 3, 5, 7, 9}), ElementsAre(0));
  EXPECT_THAT(results::outliers(Values{}), IsEmpty());
}

TEST(Outliers, are_found_where_most_values_are_equal) {
  Values values(20, 4.0);
  EXPECT_THAT(results::outliers(values), IsEmpty());
  values[7] = 5;
  EXPECT_THAT(results::outliers(values), ElementsAre(7));
  for (std::size_t i = 0; i < 9; ++i) values[i] = 5;  // nine of twenty are no exception
  EXPECT_THAT(results::outliers(values), IsEmpty());
}

TEST(Autocorrelation, of_neighbours_is_corrected_for_its_bias) {
  // Deviations -2 -1 0 1 2: products of neighbours 2 + 0 + 0 + 2, squares 10.
  EXPECT_DOUBLE_EQ(results::lag_one_autocorrelation(Values{1, 2, 3, 4, 5}), 0.4 + 2.6 / 5);
  EXPECT_EQ(results::lag_one_autocorrelation(Values(9, 3.0)), 0);
  EXPECT_EQ(results::lag_one_autocorrelation(Values{1, 2, 3}), 0);
}

TEST(Autocorrelation, is_estimated_about_right) {
  Noise noise(3);
  double sum = 0;
  constexpr int trials = 500;
  for (int i = 0; i < trials; ++i) {
    sum += results::lag_one_autocorrelation(simulation::autocorrelated(noise, 40));
  }
  EXPECT_NEAR(sum / trials, 0.3, 0.03);  // the standard error is 0.007
}

TEST(LjungBox, is_chi_squared_of_the_correlation_of_neighbours) {
  // Q = n (n + 2) r^2 / (n - 1) = 5 * 7 * 0.16 / 4 = 1.4, and P(chi squared > Q) = erfc(sqrt(Q /
  // 2)).
  EXPECT_NEAR(results::ljung_box_p(Values{1, 2, 3, 4, 5}), std::erfc(std::sqrt(0.7)), 1e-12);
  EXPECT_EQ(results::ljung_box_p(Values(9, 3.0)), 1);
}

TEST(LjungBox, rejects_what_is_autocorrelated_and_little_else) {
  Noise noise(5);
  constexpr std::size_t trials = 1000;
  std::size_t independent = 0;
  std::size_t autocorrelated = 0;
  for (std::size_t i = 0; i < trials; ++i) {
    if (results::ljung_box_p(simulation::normal(noise, 100)) < 0.05) ++independent;
    if (results::ljung_box_p(simulation::autocorrelated(noise, 100)) < 0.05) ++autocorrelated;
  }
  EXPECT_FALSE(simulation::too_many(independent, trials, 0.055)) << independent;
  EXPECT_FALSE(simulation::too_few(independent, trials, 0.04)) << independent;
  EXPECT_GT(autocorrelated, trials * 3 / 4);
}

TEST(SumInflation, is_that_of_a_first_order_autoregression) {
  EXPECT_EQ(results::sum_inflation(0), 1);
  EXPECT_DOUBLE_EQ(results::sum_inflation(0.6), 2);
  EXPECT_DOUBLE_EQ(results::sum_inflation(-0.6), 0.5);
}

TEST(Cusum, adds_up_what_is_above_the_allowance) {
  const double k = results::cusum_allowance;
  const auto steady = results::cusum(Values{0, -5, k + 1, k + 2, k - 0.5});
  EXPECT_DOUBLE_EQ(steady.sum, 2.5);
  EXPECT_EQ(steady.start, 2U);
  const auto again = results::cusum(Values{k + 1, k - 2, 0, k + 3});
  EXPECT_DOUBLE_EQ(again.sum, 3);
  EXPECT_EQ(again.start, 3U);
  EXPECT_EQ(results::cusum(Values{}).sum, 0);
}

TEST(CusumThreshold, is_reached_after_the_run_length) {
  Noise noise(9);
  constexpr double wanted = 300;
  const double threshold = results::cusum_threshold(wanted);
  constexpr int trials = 400;
  double steps = 0;
  for (int i = 0; i < trials; ++i) {
    double sum = 0;
    while (sum < threshold) {
      sum = std::max(0.0, sum + noise.normal() - results::cusum_allowance);
      ++steps;
    }
  }
  EXPECT_NEAR(steps / trials / wanted, 1, 0.2);  // the standard error is 0.05
}

TEST(SequentialScores, are_normal_quantiles_of_ranks_so_far) {
  EXPECT_THAT(results::sequential_scores(Values{3, 1, 2, 2}),
              ElementsAre(0, DoubleNear(-0.6744897501960817, 1e-12), DoubleNear(0, 1e-12),
                          DoubleNear(0, 1e-12)));
}

TEST(SequentialScores, do_not_depend_on_the_distribution) {
  Noise noise(15);
  Values values = simulation::normal(noise, 50);
  const auto scores = results::sequential_scores(values);
  for (double& value : values) value = std::exp(value);
  EXPECT_EQ(results::sequential_scores(values), scores);
}

}  // namespace
