#include "results/statistics/signed_rank.hpp"

#include <cmath>
#include <numeric>
#include <utility>

#include "results/statistics/finite.hpp"
#include "results/statistics/rank_test.hpp"

namespace results {
namespace {

constexpr std::size_t exact_up_to = 60;

// P(2 W+ = i) at i = 0 to n (n + 1): doubled, because then the mean of two ranks is whole. Each
// sign is a fair coin, so the distribution grows by one rank at a time.
std::vector<double> distribution(std::span<const TieGroup> groups) {
  std::vector<double> probabilities{1};
  std::size_t ranked = 0;
  for (const TieGroup& group : groups) {
    const std::size_t rank = 2 * ranked + group.size() + 1;  // doubled
    for (std::size_t each = 0; each < group.size(); ++each) {
      const std::size_t reached = probabilities.size();
      std::vector<double> grown(reached + rank);
      for (std::size_t i = 0; i < reached; ++i) grown[i] = probabilities[i] / 2;
      for (std::size_t i = 0; i < reached; ++i) grown[i + rank] += probabilities[i] / 2;
      probabilities = std::move(grown);
    }
    ranked += group.size();
  }
  return probabilities;
}

double mean(double n) {
  return n * (n + 1) / 4;
}
double variance(double n) {
  return n * (n + 1) * (2 * n + 1) / 24;
}

}  // namespace

SignedRank signed_rank(std::span<const double> differences, double location) {
  std::vector<double> distances(differences.begin(), differences.end());
  for (double& distance : distances) distance -= location;
  require_finite(distances, "signed_rank");
  std::vector<double> above;
  std::vector<double> below;
  for (const double distance : distances) {
    if (distance > 0) above.push_back(distance);
    if (distance < 0) below.push_back(-distance);
  }
  const std::size_t n = above.size() + below.size();
  const std::vector<TieGroup> groups = tie_groups(std::move(above), std::move(below));
  std::size_t ranked = 0;
  std::size_t doubled = 0;  // W+
  for (const TieGroup& group : groups) {
    doubled += group.first * (2 * ranked + group.size() + 1);
    ranked += group.size();
  }
  const double w_plus = static_cast<double>(doubled) / 2;
  const auto size = static_cast<double>(n);
  const Tails tails = n <= exact_up_to ? exact_tails(distribution(groups), doubled)
                                       : normal_tails(w_plus, mean(size),
                                                      variance(size) - tie_correction(groups) / 48);
  return {.n = n,
          .zeros = differences.size() - n,
          .w_plus = w_plus,
          .exact = n <= exact_up_to,
          .p_greater = tails.greater,
          .p_less = tails.less,
          .p_two_sided = tails.two_sided()};
}

std::vector<double> signed_rank_null(std::size_t n) {
  std::vector<double> cumulative(n * (n + 1) / 2 + 1);
  if (n <= exact_up_to) {
    const std::vector<double> doubled = distribution(std::vector(n, TieGroup{1, 0}));
    for (std::size_t w = 0; w < cumulative.size(); ++w) cumulative[w] = doubled[2 * w];
    std::partial_sum(cumulative.begin(), cumulative.end(), cumulative.begin());
    return cumulative;
  }
  const auto size = static_cast<double>(n);
  for (std::size_t w = 0; w < cumulative.size(); ++w) {
    cumulative[w] = normal_tails(static_cast<double>(w), mean(size), variance(size)).less;
  }
  return cumulative;
}

}  // namespace results
