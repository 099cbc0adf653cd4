// Figures over launches, against values worked out by hand.
#include "results/statistics/median.hpp"

#include <gtest/gtest.h>

#include "results/units.hpp"

namespace {

using results::Interval;
using results::median;
using results::median_interval;
using results::Scale;
using results::summarize;
using results::Unit;

TEST(Median, is_the_middle_of_the_sorted_values) {
  EXPECT_EQ(median({7}), 7);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

// Coverage is 1 - 2 P(Bin(n, 1/2) < k), from Pascal's triangle.
TEST(MedianInterval, of_few_values_is_from_the_least_to_the_greatest) {
  const Interval one = median_interval({3});
  EXPECT_EQ(one.lower, 3);
  EXPECT_EQ(one.upper, 3);
  EXPECT_EQ(one.coverage, 0);

  const Interval five = median_interval({5, 3, 1, 4, 2});
  EXPECT_EQ(five.lower, 1);
  EXPECT_EQ(five.upper, 5);
  EXPECT_DOUBLE_EQ(five.coverage, 1 - 2.0 / 32);  // less than was asked for, and says so

  EXPECT_DOUBLE_EQ(median_interval({1, 2, 3, 4, 5, 6}).coverage, 1 - 2.0 / 64);
}

TEST(MedianInterval, leaves_out_extremes_as_soon_as_the_confidence_allows) {
  const Interval eight = median_interval({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(eight.lower, 1);  // 2 (1 + 8) / 256 would leave 93.0 %
  EXPECT_EQ(eight.upper, 8);
  EXPECT_DOUBLE_EQ(eight.coverage, 1 - 2.0 / 256);

  const Interval nine = median_interval({9, 8, 7, 6, 5, 4, 3, 2, 1});
  EXPECT_EQ(nine.lower, 2);
  EXPECT_EQ(nine.upper, 8);
  EXPECT_DOUBLE_EQ(nine.coverage, 1 - 2.0 * (1 + 9) / 512);

  const Interval ten = median_interval({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  EXPECT_EQ(ten.lower, 2);
  EXPECT_EQ(ten.upper, 9);
  EXPECT_DOUBLE_EQ(ten.coverage, 1 - 2.0 * (1 + 10) / 1024);

  const Interval ten_at_80 = median_interval({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.8);
  EXPECT_EQ(ten_at_80.lower, 3);
  EXPECT_EQ(ten_at_80.upper, 8);
  EXPECT_DOUBLE_EQ(ten_at_80.coverage, 1 - 2.0 * (1 + 10 + 45) / 1024);
}

TEST(Summary, tells_the_farther_end_of_its_interval) {
  const auto summary = summarize({100, 90, 130, 101, 99});
  EXPECT_EQ(summary.median, 100);
  EXPECT_EQ(summary.launches, 5U);
  EXPECT_DOUBLE_EQ(summary.spread(), 0.30);
}

TEST(Digits, are_significant_and_without_exponent) {
  EXPECT_EQ(results::significant(0.070234), "0.0702");
  EXPECT_EQ(results::significant(8.1249), "8.12");
  EXPECT_EQ(results::significant(9.996), "10.0");
  EXPECT_EQ(results::significant(61234), "61200");
  EXPECT_EQ(results::significant(999.6, 3), "1000");
  EXPECT_EQ(results::significant(0), "0");
}

TEST(Digits, are_fewer_where_the_interval_is_wide) {
  const Scale scale{.factor = 1e3, .symbol = "µs"};
  EXPECT_EQ(results::with_spread(summarize({8120, 8120, 8130, 8120, 8110}), scale), "8.12 ±0.1 %");
  EXPECT_EQ(results::with_spread(summarize({8120, 8120, 10150, 8120, 8110}), scale), "8.1 ±25 %");
  EXPECT_EQ(results::with_spread(summarize({8120, 8120}), scale), "8.12 ±0 %");
  EXPECT_EQ(results::with_spread(summarize({8120}), scale), "8.12") << "one launch has no interval";
}

TEST(Scales, suit_the_value_in_the_middle) {
  EXPECT_EQ(results::scale_for(Unit::nanoseconds, {70, 8000, 61000}).symbol, "µs");
  EXPECT_EQ(results::scale_for(Unit::nanoseconds, {70}).symbol, "ns");
  EXPECT_EQ(results::scale_for(Unit::nanoseconds, {0.5}).symbol, "ns");
  EXPECT_EQ(results::with_unit(2.5e6, Unit::per_second), "2.50 M/s");
  EXPECT_EQ(results::with_unit(3.21e9, Unit::bytes_per_second), "3.21 GB/s");
  EXPECT_EQ(results::bytes_text("65536"), "64 KiB");
  EXPECT_EQ(results::bytes_text("48"), "48 B");
  EXPECT_EQ(results::bytes_text("any"), "any");
}

}  // namespace
