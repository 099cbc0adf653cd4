#include "results/compare/judge.hpp"

#include <cmath>

#include "results/statistics/median.hpp"
#include "results/statistics/paired_test.hpp"

namespace results {

std::vector<double> effects(std::string_view metric, const std::vector<Pair>& pairs) {
  const double sign = higher_is_better(metric) ? -1 : 1;
  std::vector<double> differences;
  for (const Pair& pair : pairs) differences.push_back(sign * (pair.head - pair.base));
  return differences;
}

Comparison compare(std::string row, std::string metric, const std::vector<Pair>& pairs,
                   double floor, double alpha) {
  std::vector<double> base;
  std::vector<double> head;
  for (const Pair& pair : pairs) {
    base.push_back(pair.base);
    head.push_back(pair.head);
  }
  const PairedTest test = paired_test(effects(metric, pairs), floor, {.alpha = alpha});
  Comparison comparison;
  comparison.row = std::move(row);
  comparison.metric = std::move(metric);
  comparison.base = std::exp(median(base));
  comparison.head = std::exp(median(head));
  comparison.n = test.n;
  comparison.ties = test.ties;
  comparison.effect = test.effect;
  comparison.interval = test.interval;
  comparison.floor = floor;
  comparison.minimum_detectable_effect = test.minimum_detectable_effect;
  comparison.p_regression = test.p_regression;
  comparison.p_improvement = test.p_improvement;
  comparison.p_unchanged = test.p_unchanged;
  return comparison;
}

void give_verdict(Comparison& comparison, double alpha) {
  if (comparison.p_regression <= alpha) {
    comparison.verdict = Verdict::regression;
  } else if (comparison.p_improvement <= alpha) {
    comparison.verdict = Verdict::improvement;
  } else if (comparison.p_unchanged <= unchanged_alpha) {
    comparison.verdict = Verdict::unchanged;
  } else {
    comparison.verdict = Verdict::inconclusive;
  }
}

}  // namespace results
