// Statistics of small samples, against values worked out by hand.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/statistics/bootstrap.hpp"
#include "results/statistics/hodges_lehmann.hpp"
#include "results/statistics/kolmogorov_smirnov.hpp"
#include "results/statistics/mann_whitney.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"
#include "results/statistics/multiple_testing.hpp"
#include "results/statistics/paired_test.hpp"
#include "results/statistics/signed_rank.hpp"

namespace {

using namespace results;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Numbers = std::vector<double>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// Ranks 1, 2, 3 of which the least is negative: W+ = 5. Of eight outcomes 5 and 6 are as far up,
// and all but 6 as far down.
TEST(SignedRank, counts_the_outcome_itself_on_both_sides) {
  const SignedRank test = signed_rank(Numbers{-1, 2, 3});
  EXPECT_EQ(test.n, 3U);
  EXPECT_EQ(test.w_plus, 5);
  EXPECT_TRUE(test.exact);
  EXPECT_DOUBLE_EQ(test.p_greater, 2.0 / 8);
  EXPECT_DOUBLE_EQ(test.p_less, 7.0 / 8);
  EXPECT_DOUBLE_EQ(test.p_two_sided, 4.0 / 8);
}

TEST(SignedRank, of_n_differences_on_one_side_is_two_to_the_minus_n) {
  for (const int n : {1, 7, 40, 60}) {
    const Numbers differences(static_cast<std::size_t>(n), 0.25);
    EXPECT_DOUBLE_EQ(signed_rank(differences).p_greater, std::ldexp(1, -n));
    EXPECT_DOUBLE_EQ(signed_rank(differences).p_less, 1);
    EXPECT_DOUBLE_EQ(signed_rank(differences, 0.5).p_less, std::ldexp(1, -n));
  }
}

// |d| = 1, 1, 2 have the ranks 1.5, 1.5, 3: W+ = 4.5, and each of its values 0, 1.5, 1.5, 3,
// 3, 4.5, 4.5, 6 comes about in one of eight ways.
TEST(SignedRank, gives_equal_distances_the_mean_of_their_ranks) {
  const SignedRank test = signed_rank(Numbers{1, -1, 2});
  EXPECT_EQ(test.w_plus, 4.5);
  EXPECT_DOUBLE_EQ(test.p_greater, 3.0 / 8);
  EXPECT_DOUBLE_EQ(test.p_less, 7.0 / 8);
}

TEST(SignedRank, leaves_out_what_equals_the_location) {
  const SignedRank test = signed_rank(Numbers{0.5, 1.5, 0.5, -0.5, 2.5}, 0.5);
  EXPECT_EQ(test.zeros, 2U);
  EXPECT_EQ(test.n, 3U);
  EXPECT_EQ(test.w_plus, 1.5 + 3);  // of the distances 1, -1, 2
}

TEST(SignedRank, of_nothing_shows_nothing) {
  for (const Numbers& differences : {Numbers{}, Numbers{0, 0, -0.0}}) {
    const SignedRank test = signed_rank(differences);
    EXPECT_EQ(test.n, 0U);
    EXPECT_EQ(test.zeros, differences.size());
    EXPECT_EQ(test.w_plus, 0);
    EXPECT_EQ(test.p_greater, 1);
    EXPECT_EQ(test.p_less, 1);
    EXPECT_EQ(test.p_two_sided, 1);
  }
}

TEST(SignedRank, hardly_changes_where_the_approximation_takes_over) {
  Numbers differences;
  for (int i = 1; i <= 60; ++i) differences.push_back(i % 3 == 0 ? -i : i);
  const SignedRank exact = signed_rank(differences);
  differences.push_back(-0.5);  // moves W+ and its mean by about the same
  const SignedRank approximate = signed_rank(differences);
  EXPECT_TRUE(exact.exact);
  EXPECT_FALSE(approximate.exact);
  EXPECT_NEAR(approximate.p_greater / exact.p_greater, 1, 0.1);
}

TEST(SignedRank, has_a_symmetric_null_distribution) {
  EXPECT_THAT(signed_rank_null(3), ElementsAre(1 / 8., 2 / 8., 3 / 8., 5 / 8., 6 / 8., 7 / 8., 1));
  EXPECT_THAT(signed_rank_null(0), ElementsAre(1));
  EXPECT_NEAR(signed_rank_null(70)[70 * 71 / 4], 0.5, 0.01);
}

// {3} over {1, 2}: the first is the greatest of three, in one of three choices.
TEST(MannWhitney, counts_the_outcome_itself_on_both_sides) {
  const MannWhitney test = mann_whitney(Numbers{3}, Numbers{1, 2});
  EXPECT_EQ(test.u, 2);
  EXPECT_DOUBLE_EQ(test.p_greater, 1.0 / 3);
  EXPECT_DOUBLE_EQ(test.p_less, 1);
  EXPECT_DOUBLE_EQ(test.p_two_sided, 2.0 / 3);
  const MannWhitney mirrored = mann_whitney(Numbers{1, 2}, Numbers{3});
  EXPECT_EQ(mirrored.u, 0);
  EXPECT_DOUBLE_EQ(mirrored.p_less, 1.0 / 3);
}

// Of 1, 2, 2, 3 two are chosen: U is 0.5, 0.5, 2, 2, 3.5, 3.5.
TEST(MannWhitney, counts_equal_values_half) {
  const MannWhitney test = mann_whitney(Numbers{2, 3}, Numbers{1, 2});
  EXPECT_EQ(test.u, 3.5);
  EXPECT_DOUBLE_EQ(test.p_greater, 2.0 / 6);
  EXPECT_DOUBLE_EQ(test.p_less, 1);
  EXPECT_DOUBLE_EQ(mann_whitney(Numbers{2, 2}, Numbers{1, 3}).p_greater, 4.0 / 6);
}

TEST(MannWhitney, of_separate_samples_is_one_in_all_choices) {
  Numbers low;
  Numbers high;
  double choices = 1;  // binomial(2 n, n)
  for (int n = 1; n <= 60; ++n) {
    low.push_back(n);
    high.push_back(n + 100);
    choices *= 2.0 * (2 * n - 1) / n;
  }
  const MannWhitney test = mann_whitney(high, low);
  EXPECT_TRUE(test.exact);
  EXPECT_EQ(test.u, 3600);
  EXPECT_NEAR(test.p_greater * choices, 1, 1e-12);
  low.push_back(61);
  EXPECT_FALSE(mann_whitney(high, low).exact);
}

TEST(MannWhitney, of_nothing_shows_nothing) {
  EXPECT_EQ(mann_whitney(Numbers{}, Numbers{1, 2}).p_two_sided, 1);
  EXPECT_EQ(mann_whitney(Numbers{1, 2}, Numbers{}).p_less, 1);
  EXPECT_EQ(mann_whitney(Numbers{4, 4}, Numbers{4, 4, 4}).p_greater, 1);
  EXPECT_EQ(mann_whitney(Numbers(70, 4.0), Numbers(70, 4.0)).p_two_sided, 1);
}

TEST(MannWhitney, has_a_null_distribution_without_sides) {
  EXPECT_THAT(mann_whitney_null(2, 2),
              ElementsAre(DoubleEq(1 / 6.), DoubleEq(2 / 6.), DoubleEq(4 / 6.), DoubleEq(5 / 6.),
                          DoubleEq(1)));
  EXPECT_EQ(mann_whitney_null(9, 4), mann_whitney_null(4, 9));
  EXPECT_NEAR(mann_whitney_null(61, 61)[61 * 61 / 2], 0.5, 0.01);
}

// The Walsh averages of 1, 2, 10 are 1, 1.5, 2, 5.5, 6, 10.
TEST(HodgesLehmann, is_the_middle_of_the_averages) {
  const HodgesLehmann found = hodges_lehmann(Numbers{10, 1, 2});
  EXPECT_DOUBLE_EQ(found.estimate, 3.75);
  EXPECT_EQ(found.interval.lower, 1);
  EXPECT_EQ(found.interval.upper, 10);
  EXPECT_DOUBLE_EQ(found.interval.coverage, 1 - 2.0 / 8);
}

// P(W+ <= 2) = 3 / 64 for six values, P(W+ <= 1) = 2 / 64, P(W+ <= 0) = 1 / 64.
TEST(HodgesLehmann, interval_is_as_narrow_as_the_confidence_allows) {
  const Numbers values{1, 2, 4, 8, 16, 32};
  EXPECT_EQ(hodges_lehmann(values, 0.95).interval.lower, 1);
  EXPECT_EQ(hodges_lehmann(values, 0.95).interval.upper, 32);
  EXPECT_DOUBLE_EQ(hodges_lehmann(values, 0.95).interval.coverage, 1 - 2.0 / 64);
  EXPECT_EQ(hodges_lehmann(values, 0.93).interval.lower, 1.5);
  EXPECT_EQ(hodges_lehmann(values, 0.93).interval.upper, 24);
  EXPECT_DOUBLE_EQ(hodges_lehmann(values, 0.93).interval.coverage, 1 - 4.0 / 64);
}

TEST(HodgesLehmann, shift_is_head_less_base) {
  const HodgesLehmann found = hodges_lehmann_shift(Numbers{1, 2}, Numbers{11, 14});
  EXPECT_DOUBLE_EQ(found.estimate, 11);  // of 9, 10, 12, 13
  EXPECT_EQ(found.interval.lower, 9);
  EXPECT_EQ(found.interval.upper, 13);
  EXPECT_DOUBLE_EQ(found.interval.coverage, 1 - 2.0 / 6);
}

TEST(HodgesLehmann, of_one_value_is_sure_of_nothing) {
  const HodgesLehmann found = hodges_lehmann(Numbers{7});
  EXPECT_EQ(found.estimate, 7);
  EXPECT_EQ(found.interval.lower, 7);
  EXPECT_EQ(found.interval.upper, 7);
  EXPECT_EQ(found.interval.coverage, 0);
}

TEST(HodgesLehmann, of_many_values_has_an_interval_from_the_approximation) {
  Numbers values;
  for (int i = -50; i <= 50; ++i) values.push_back(i);
  const HodgesLehmann found = hodges_lehmann(values);
  EXPECT_EQ(found.estimate, 0);
  EXPECT_EQ(found.interval.lower, -found.interval.upper);
  EXPECT_NEAR(found.interval.coverage, 0.95, 0.001);
  EXPECT_LE(1 - found.interval.coverage, 0.05);
}

// Of the six orders of two and two, two keep the samples apart, and none is nearer than a half.
TEST(KolmogorovSmirnov, counts_orders_that_come_as_far_apart) {
  const KolmogorovSmirnov separate = kolmogorov_smirnov(Numbers{1, 2}, Numbers{3, 4});
  EXPECT_TRUE(separate.exact);
  EXPECT_DOUBLE_EQ(separate.d, 1);
  EXPECT_DOUBLE_EQ(separate.p, 2.0 / 6);
  const KolmogorovSmirnov mixed = kolmogorov_smirnov(Numbers{1, 3}, Numbers{2, 4});
  EXPECT_DOUBLE_EQ(mixed.d, 0.5);
  EXPECT_DOUBLE_EQ(mixed.p, 1);
}

// Four ones and two twos. Three ones on one side leave 2/3 between them and the other side: 2 * 4
// of 20 choices. Among six different values 12 orders would come as far apart at some place.
TEST(KolmogorovSmirnov, looks_only_between_equal_values) {
  const KolmogorovSmirnov test = kolmogorov_smirnov(Numbers{1, 1, 1}, Numbers{1, 2, 2});
  EXPECT_DOUBLE_EQ(test.d, 2.0 / 3);
  EXPECT_DOUBLE_EQ(test.p, 8.0 / 20);
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov(Numbers{1, 2, 4}, Numbers{3, 5, 6}).p, 12.0 / 20);
}

TEST(KolmogorovSmirnov, sees_a_change_of_shape_around_the_same_middle) {
  Numbers narrow;
  Numbers wide;
  for (int i = -20; i <= 20; ++i) {
    narrow.push_back(i);
    wide.push_back(10 * i);
  }
  EXPECT_LT(kolmogorov_smirnov(narrow, wide).p, 1e-3);
  EXPECT_GT(mann_whitney(narrow, wide).p_two_sided, 0.9);
}

TEST(KolmogorovSmirnov, of_nothing_shows_nothing) {
  EXPECT_EQ(kolmogorov_smirnov(Numbers{}, Numbers{1}).p, 1);
  EXPECT_EQ(kolmogorov_smirnov(Numbers{1, 1}, Numbers{1, 1, 1}).p, 1);
}

TEST(MultipleTesting, adjusts_in_the_order_of_the_input) {
  const Numbers p{0.04, 0.01, 0.03};
  EXPECT_THAT(holm(p), ElementsAre(DoubleEq(0.06), DoubleEq(0.03), DoubleEq(0.06)));
  EXPECT_THAT(benjamini_hochberg(p), ElementsAre(DoubleEq(0.04), DoubleEq(0.03), DoubleEq(0.04)));
  const double harmonic = 1 + 1 / 2. + 1 / 3.;
  EXPECT_THAT(
      benjamini_yekutieli(p),
      ElementsAre(DoubleEq(0.04 * harmonic), DoubleEq(0.03 * harmonic), DoubleEq(0.04 * harmonic)));
}

TEST(MultipleTesting, stays_a_probability) {
  EXPECT_THAT(holm(Numbers{0.9, 0.8}), ElementsAre(1, 1));
  EXPECT_THAT(benjamini_yekutieli(Numbers{1, 1}), ElementsAre(1, 1));
  EXPECT_THAT(benjamini_hochberg(Numbers{}), IsEmpty());
  for (const double wrong : {nan, -0.1, 1.1}) {
    EXPECT_THROW(holm(Numbers{0.5, wrong}), std::invalid_argument);
    EXPECT_THROW(benjamini_hochberg(Numbers{wrong}), std::invalid_argument);
    EXPECT_THROW(benjamini_yekutieli(Numbers{wrong}), std::invalid_argument);
  }
}

TEST(RobustSigma, is_not_moved_by_a_spike) {
  const double calm = robust_sigma(Numbers{1, 2, 3, 4, 5});
  EXPECT_NEAR(calm, 1.4826, 1e-4);
  EXPECT_DOUBLE_EQ(robust_sigma(Numbers{1, 2, 3, 4, 5000}), calm);
}

TEST(RobustSigma, is_not_blind_where_most_values_are_equal) {
  EXPECT_DOUBLE_EQ(robust_sigma(Numbers{0, 0, 0, 4}), 2);  // squares: 3 + 9, over 3
  EXPECT_EQ(robust_sigma(Numbers{0, 0, 0}), 0);
  EXPECT_EQ(robust_sigma(Numbers{5}), 0);
}

// The quantiles of Student's t with one degree of freedom are tan(pi (p - 1/2)): 1 at 0.75.
TEST(MinimumDetectableEffect, is_the_distance_of_two_quantiles_in_standard_errors) {
  const TestDesign design{.alpha = 0.25, .power = 0.75};
  const double efficiency = 3 / std::acos(-1);
  EXPECT_NEAR(minimum_detectable_effect(7, 2, design), 2 * 7 / std::sqrt(2 * efficiency), 1e-9);
}

TEST(MinimumDetectableEffect, shrinks_with_the_root_of_many_pairs) {
  const double of_many = minimum_detectable_effect(0.02, 10'000);
  EXPECT_NEAR(minimum_detectable_effect(0.02, 40'000), of_many / 2, of_many / 1000);
  EXPECT_DOUBLE_EQ(minimum_detectable_effect(0.04, 10'000), of_many * 2);
  EXPECT_EQ(minimum_detectable_effect(0, 20), 0);
}

TEST(MinimumDetectableEffect, is_infinite_where_no_outcome_could_be_clear_enough) {
  EXPECT_EQ(minimum_detectable_effect(0.02, 6, {.alpha = 0.01}), infinity);  // 2^-6 = 0.0156
  EXPECT_LT(minimum_detectable_effect(0.02, 7, {.alpha = 0.01}), infinity);
  EXPECT_EQ(pairs_needed(0.02, 100, {.alpha = 0.01}), 7U);
  EXPECT_EQ(minimum_detectable_effect(0.02, 1, {.alpha = 0.6}), infinity);
}

TEST(MinimumDetectableEffect, and_the_pairs_that_it_needs_are_each_others_inverse) {
  for (const std::size_t n : {8U, 30U, 500U}) {
    const double effect = minimum_detectable_effect(0.02, n);
    EXPECT_EQ(pairs_needed(0.02, effect * 1.000001), n);
    EXPECT_EQ(pairs_needed(0.02, effect * 0.999999), n + 1);
  }
}

TEST(MinimumDetectableEffect, refuses_what_is_no_design) {
  EXPECT_THROW(minimum_detectable_effect(nan, 9), std::invalid_argument);
  EXPECT_THROW(minimum_detectable_effect(1, 9, {.alpha = 0}), std::invalid_argument);
  EXPECT_THROW(minimum_detectable_effect(1, 9, {.power = 1}), std::invalid_argument);
  EXPECT_THROW(pairs_needed(1, 0), std::invalid_argument);
  EXPECT_THROW(pairs_needed(1, 1e-200), std::invalid_argument);
}

// Of 1 and 2 the resampled medians are 1, 1.5, 1.5 and 2, each as probable as the others.
TEST(Bootstrap, is_from_percentile_to_percentile) {
  const Interval wide = ratio_of_medians_interval(Numbers{10}, Numbers{1, 2}, {.confidence = 0.9});
  EXPECT_DOUBLE_EQ(wide.lower, 0.1);
  EXPECT_DOUBLE_EQ(wide.upper, 0.2);
  const Interval narrow =
      ratio_of_medians_interval(Numbers{10}, Numbers{1, 2}, {.confidence = 0.2});
  EXPECT_DOUBLE_EQ(narrow.lower, 0.15);
  EXPECT_DOUBLE_EQ(narrow.upper, 0.15);
}

TEST(Bootstrap, repeats_itself_with_the_same_seed_only) {
  Numbers base;
  Numbers head;
  for (int i = 1; i <= 21; ++i) {
    base.push_back(i * i);
    head.push_back(i * i * i);
  }
  const Interval once = ratio_of_medians_interval(base, head, {.seed = 5, .resamples = 200});
  const Interval again = ratio_of_medians_interval(base, head, {.seed = 5, .resamples = 200});
  const Interval other = ratio_of_medians_interval(base, head, {.seed = 6, .resamples = 200});
  EXPECT_EQ(once.lower, again.lower);
  EXPECT_EQ(once.upper, again.upper);
  EXPECT_TRUE(once.lower != other.lower || once.upper != other.upper);
}

TEST(Bootstrap, refuses_what_has_no_ratio) {
  EXPECT_THROW(ratio_of_medians_interval(Numbers{}, Numbers{1}), std::invalid_argument);
  EXPECT_THROW(ratio_of_medians_interval(Numbers{0, 1}, Numbers{1}), std::invalid_argument);
  EXPECT_THROW(ratio_of_medians_interval(Numbers{1}, Numbers{1}, {.resamples = 0}),
               std::invalid_argument);
}

// Eight pairs, head 10 % to 17 % slower.
const Numbers slower{0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17};

TEST(PairedTest, holds_the_effect_against_the_floor) {
  const PairedTest beyond = paired_test(slower, 0.05);
  EXPECT_DOUBLE_EQ(beyond.p_regression, 1.0 / 256);
  EXPECT_DOUBLE_EQ(beyond.p_improvement, 1);
  EXPECT_DOUBLE_EQ(beyond.p_unchanged, 1);
  EXPECT_DOUBLE_EQ(beyond.effect, 0.135);
  EXPECT_EQ(beyond.interval.lower, 0.10);
  EXPECT_EQ(beyond.interval.upper, 0.17);

  const PairedTest within = paired_test(slower, 0.2);
  EXPECT_DOUBLE_EQ(within.p_regression, 1);
  EXPECT_DOUBLE_EQ(within.p_unchanged, 1.0 / 256);
}

TEST(PairedTest, is_symmetric) {
  Numbers faster;
  for (const double difference : slower) faster.push_back(-difference);
  const PairedTest test = paired_test(faster, 0.05);
  EXPECT_DOUBLE_EQ(test.p_improvement, 1.0 / 256);
  EXPECT_DOUBLE_EQ(test.p_regression, 1);
  EXPECT_DOUBLE_EQ(test.effect, -0.135);
}

TEST(PairedTest, concludes_nothing_from_differences_that_go_both_ways) {
  const Numbers both{-0.3, 0.3, -0.31, 0.31, -0.32, 0.32};  // no shift, and far beyond the floor
  const PairedTest test = paired_test(both, 0.01);
  EXPECT_GT(test.p_unchanged, 0.2);
  EXPECT_GT(test.p_regression, 0.2);
  EXPECT_GT(test.p_improvement, 0.2);
}

TEST(PairedTest, of_equal_sides_is_unchanged_and_says_that_they_tie) {
  const PairedTest test = paired_test(Numbers(10, 0.0), 0.02);
  EXPECT_EQ(test.ties, 10U);
  EXPECT_EQ(test.effect, 0);
  EXPECT_DOUBLE_EQ(test.p_unchanged, std::ldexp(1, -10));
  EXPECT_EQ(paired_test(Numbers(10, 0.0), 0).p_unchanged, 1) << "without a floor nothing is within";
}

TEST(PairedTest, counts_the_floor_into_what_it_could_see) {
  const TestDesign design{.alpha = 0.05, .power = 0.8};
  const double above = minimum_detectable_effect(robust_sigma(slower), slower.size(), design);
  EXPECT_DOUBLE_EQ(paired_test(slower, 0.05, design).minimum_detectable_effect, 0.05 + above);
}

TEST(PairedTest, refuses_what_it_cannot_judge) {
  EXPECT_THROW(paired_test(Numbers{}, 0.01), std::invalid_argument);
  EXPECT_THROW(paired_test(Numbers(1001, 1.0), 0.01), std::invalid_argument);
  for (const double floor : {-0.01, nan, infinity}) {
    EXPECT_THROW(paired_test(slower, floor), std::invalid_argument) << floor;
  }
}

TEST(Statistics, refuse_a_value_that_is_none_and_say_which) {
  try {
    signed_rank(Numbers{1, nan, 3});
    ADD_FAILURE() << "took a NaN";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("signed_rank: value 2 of 3 is nan"));
  }
  for (const double wrong : {nan, infinity, -infinity}) {
    const Numbers values{1, wrong};
    const Numbers good{1, 2};
    EXPECT_THROW(signed_rank(good, wrong), std::invalid_argument);
    EXPECT_THROW(mann_whitney(values, good), std::invalid_argument);
    EXPECT_THROW(mann_whitney(good, values), std::invalid_argument);
    EXPECT_THROW(hodges_lehmann(values), std::invalid_argument);
    EXPECT_THROW(hodges_lehmann_shift(good, values), std::invalid_argument);
    EXPECT_THROW(hodges_lehmann(good, wrong), std::invalid_argument);
    EXPECT_THROW(kolmogorov_smirnov(values, good), std::invalid_argument);
    EXPECT_THROW(robust_sigma(values), std::invalid_argument);
    EXPECT_THROW(ratio_of_medians_interval(values, good), std::invalid_argument);
    EXPECT_THROW(paired_test(values, 0.01), std::invalid_argument);
  }
  EXPECT_THROW(hodges_lehmann(Numbers{}), std::invalid_argument);
}

}  // namespace
