#include "results/compare/comparison.hpp"

namespace results {

std::string_view to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::regression:
      return "regression";
    case Verdict::improvement:
      return "improvement";
    case Verdict::unchanged:
      return "unchanged";
    case Verdict::inconclusive:
      return "inconclusive";
    case Verdict::differs:
      return "differs";
    case Verdict::identical:
      return "identical";
    case Verdict::missing:
      return "missing";
    case Verdict::failed:
      return "failed";
  }
  return "unknown";
}

Comparison without_values(std::string row, std::string metric, Verdict verdict,
                          std::string reason) {
  Comparison comparison;
  comparison.row = std::move(row);
  comparison.metric = std::move(metric);
  comparison.verdict = verdict;
  comparison.reason = std::move(reason);
  return comparison;
}

bool higher_is_better(std::string_view metric) {
  return metric.ends_with("_per_second");
}

}  // namespace results
