#include "results/statistics/e_divisive.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace results {
namespace {

struct Split {
  double distance = 0;
  std::size_t position = 0;  // 0: none
};

class EDivisive {
 public:
  EDivisive(std::span<const double> values, const EDivisiveOptions& options)
      : values_(values),
        minimum_(options.minimum_segment),
        permutations_(options.permutations),
        // A little more: 0.29 * 100 is just below 29.
        allowed_(static_cast<std::size_t>(
            options.significance * static_cast<double>(1 + options.permutations) + 1e-9)),
        random_(options.seed),
        inverse_(values.size() + 1),
        within_(values.size()),
        left_(values.size() + 1) {
    for (std::size_t i = 1; i < inverse_.size(); ++i) inverse_[i] = 1 / static_cast<double>(i);
  }

  std::vector<std::size_t> change_points() {
    divide(0, values_.size());
    return std::move(found_);
  }

 private:
  void divide(std::size_t first, std::size_t end) {
    const auto segment = values_.subspan(first, end - first);
    const Split split = best_split(segment);
    if (split.position == 0 || !significant(segment, split)) return;
    divide(first, first + split.position);
    found_.push_back(first + split.position);
    divide(first + split.position, end);
  }

  // The largest distance between [0, split) and [split, end), over all splits and all ends: an end
  // before the last value finds a level that lasts for a while only.
  Split best_split(std::span<const double> values) {
    Split best;
    for (std::size_t end = 1; end <= values.size(); ++end) {
      // within_[i] becomes the sum of |x - y| over the pairs in [i, end).
      const double added = values[end - 1];
      double to_added = 0;
      within_[end - 1] = 0;
      for (std::size_t i = end - 1; i-- > 0;) {
        to_added += std::abs(values[i] - added);
        within_[i] += to_added;
      }
      left_[end] = within_[0];
      for (std::size_t split = minimum_; split + minimum_ <= end; ++split) {
        const std::size_t n = split;
        const std::size_t m = end - split;
        const double left = left_[split];
        const double right = within_[split];
        const double between = within_[0] - left - right;
        // nm / (n + m) (2 E|X - Y| - E|X - X'| - E|Y - Y'|), the expectations being means of pairs.
        const double distance = 2 * inverse_[end] *
                                (between - static_cast<double>(m) * inverse_[n - 1] * left -
                                 static_cast<double>(n) * inverse_[m - 1] * right);
        if (distance > best.distance) best = {.distance = distance, .position = split};
      }
    }
    return best;
  }

  bool significant(std::span<const double> segment, const Split& split) {
    order_.assign(segment.begin(), segment.end());
    std::size_t as_large = 1;  // the order that was seen
    for (std::size_t i = 0; i < permutations_ && as_large <= allowed_; ++i) {
      shuffle();
      if (best_split(order_).distance >= split.distance) ++as_large;
    }
    return as_large <= allowed_;
  }

  // Not std::shuffle, whose orders differ between standard libraries.
  void shuffle() {
    for (std::size_t left = order_.size(); left > 1; --left) {
      std::swap(order_[left - 1], order_[((random_() >> 32U) * left) >> 32U]);
    }
  }

  std::span<const double> values_;
  std::size_t minimum_;
  std::size_t permutations_;
  std::size_t allowed_;  // orders with such a distance, among 1 + R
  std::mt19937_64 random_;
  std::vector<double> inverse_;  // 1 / i
  std::vector<double> within_;
  std::vector<double> left_;  // the sum of |x - y| over the pairs in [0, i)
  std::vector<double> order_;
  std::vector<std::size_t> found_;
};

}  // namespace

std::vector<std::size_t> e_divisive(std::span<const double> values,
                                    const EDivisiveOptions& options) {
  if (values.size() < 2 * options.minimum_segment) return {};
  return EDivisive(values, options).change_points();
}

}  // namespace results
