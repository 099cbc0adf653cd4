#include "results/statistics/ed_pelt.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace results {
namespace {

// -2 ln of the likelihood of segments under their own empirical distribution functions.
class Cost {
 public:
  explicit Cost(std::span<const double> values)
      : quantiles_(
            static_cast<std::size_t>(std::ceil(4 * std::log(static_cast<double>(values.size()))))),
        below_((values.size() + 1) * quantiles_),
        x_ln_x_(2 * values.size() + 1) {
    const auto n = static_cast<double>(values.size());
    const double odds = std::log(2 * n - 1);
    scale_ = 2 * odds / static_cast<double>(quantiles_);
    for (std::size_t i = 1; i < x_ln_x_.size(); ++i) {
      const double x = static_cast<double>(i) / 2;
      x_ln_x_[i] = x * std::log(x);
    }
    std::vector<double> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    for (std::size_t k = 0; k < quantiles_; ++k) {
      // Evenly spaced in the logarithm of the odds: dense in the tails, where changes show.
      const double place = static_cast<double>(2 * k + 1) / static_cast<double>(quantiles_) - 1;
      const double share = 1 / (1 + std::exp(-odds * place));
      const double quantile = sorted[static_cast<std::size_t>(share * (n - 1))];
      for (std::size_t i = 0; i < values.size(); ++i) {
        const int twice = values[i] < quantile ? 2 : values[i] == quantile ? 1 : 0;
        below_[(i + 1) * quantiles_ + k] = below_[i * quantiles_ + k] + twice;
      }
    }
  }

  // Of [first, end).
  [[nodiscard]] double operator()(std::size_t first, std::size_t end) const {
    const std::size_t twice_all = 2 * (end - first);
    const int* from = &below_[first * quantiles_];
    const int* to = &below_[end * quantiles_];
    double sum = 0;
    for (std::size_t k = 0; k < quantiles_; ++k) {
      const auto twice_below = static_cast<std::size_t>(to[k] - from[k]);
      sum += x_ln_x_[twice_below] + x_ln_x_[twice_all - twice_below];
    }
    return scale_ * (static_cast<double>(quantiles_) * x_ln_x_[twice_all] - sum);
  }

 private:
  std::size_t quantiles_;
  double scale_ = 0;
  std::vector<int> below_;      // twice as many of the first i values as are below quantile k;
                                // equal ones count half
  std::vector<double> x_ln_x_;  // of i / 2
};

}  // namespace

std::vector<std::size_t> ed_pelt(std::span<const double> values, std::size_t minimum_segment) {
  const std::size_t n = values.size();
  if (n < 2 * minimum_segment || n < 2) return {};
  const Cost cost(values);
  const double penalty = 3 * std::log(static_cast<double>(n));
  // best[end] is the least cost of [0, end), whose last segment begins at last[end].
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
  std::vector<std::size_t> last(n + 1);
  best[0] = -penalty;
  std::vector<std::size_t> candidates;
  std::vector<double> costs;
  for (std::size_t end = minimum_segment; end <= n; ++end) {
    const std::size_t newest = end - minimum_segment;
    if (newest == 0 || newest >= minimum_segment) candidates.push_back(newest);
    costs.clear();
    for (const std::size_t first : candidates) {
      costs.push_back(best[first] + cost(first, end));
      if (costs.back() + penalty < best[end]) {
        best[end] = costs.back() + penalty;
        last[end] = first;
      }
    }
    // One that costs more than the best without a penalty never catches up.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (costs[i] <= best[end]) candidates[kept++] = candidates[i];
    }
    candidates.resize(kept);
  }
  std::vector<std::size_t> found;
  for (std::size_t first = last[n]; first > 0; first = last[first]) found.push_back(first);
  std::ranges::reverse(found);
  return found;
}

}  // namespace results
