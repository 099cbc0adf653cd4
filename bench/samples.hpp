// Raw samples, and what is said about them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

using Counters = std::map<std::string, double>;

// Every sample is kept as it was taken: no buckets, no averages of averages.
class Samples {
 public:
  // Makes room and touches it: a page fault must not fall between two samples.
  void reserve(std::size_t count) {
    values_.resize(count);
    values_.clear();
  }

  void add(double value) { values_.push_back(value); }

  [[nodiscard]] std::size_t size() const { return values_.size(); }

  // The smallest sample that is not below `share` of them (nearest rank).
  // Requires 0 < share <= 1; throws std::logic_error without samples.
  [[nodiscard]] double percentile(double share) const {
    if (values_.empty()) throw std::logic_error("a percentile of no samples");
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[rank(share, sorted.size())];
  }

  // What they tell of one operation. Requires samples in nanoseconds.
  [[nodiscard]] Counters counters() const {
    if (values_.empty()) throw std::logic_error("a percentile of no samples");
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&](double share) { return sorted[rank(share, sorted.size())]; };
    return {{"latency_ns_p50", at(0.50)},      {"latency_ns_p90", at(0.90)},
            {"latency_ns_p99", at(0.99)},      {"latency_ns_p99_9", at(0.999)},
            {"latency_ns_max", sorted.back()}, {"samples", static_cast<double>(sorted.size())}};
  }

 private:
  static std::size_t rank(double share, std::size_t count) {
    // 0.99 * 100 is a little more than 99 in binary: without the tolerance p99 of 100 samples would
    // be their maximum.
    const double exact = share * static_cast<double>(count);
    const auto at = static_cast<std::size_t>(std::ceil(exact - 1e-9 * exact));
    return std::clamp<std::size_t>(at, 1, count) - 1;
  }

  std::vector<double> values_;
};

}  // namespace bench
