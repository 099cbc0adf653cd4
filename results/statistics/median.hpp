// Statistics over launches. A launch of a benchmark binary is the unit of replication (Kalibera and
// Jones, "Rigorous benchmarking in reasonable time", ISMM 2013): what one launch says about a row
// is one value, and an interval says how launches vary, not how samples within one do.
#pragma once

#include <cstddef>
#include <vector>

namespace results {

// The middle value, or the mean of the two in the middle. Requires at least one value.
double median(std::vector<double> values);

// Bounds of the median of what was sampled from.
struct Interval {
  double lower;
  double upper;
  double coverage;  // the probability that it holds the median, in [0, 1)
};

// Between the k-th smallest and the k-th largest of n values lies the median with a probability of
// 1 - 2 P(Bin(n, 1/2) < k), whatever the distribution (Thompson 1936; David and Nagaraja, "Order
// Statistics", section 7.1: the interval that inverts the sign test). Takes the largest k that
// keeps `confidence`, or the extremes when even they do not: 5 values reach 93.75 %, not more.
// Requires 1 to 1000 values.
Interval median_interval(std::vector<double> values, double confidence = 0.95);

// What the launches say about one figure.
struct Summary {
  double median;
  Interval interval;
  std::size_t launches;

  // The farther end of the interval from the median, as a share of the median.
  [[nodiscard]] double spread() const;
};

Summary summarize(const std::vector<double>& per_launch);

}  // namespace results
