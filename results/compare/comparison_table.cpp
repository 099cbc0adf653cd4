#include "results/compare/comparison_table.hpp"

#include <cmath>

#include <fmt/format.h>

#include "results/publish/render.hpp"
#include "results/units.hpp"

namespace results {
namespace {

// The columns at the left: verdict, row, metric.
constexpr std::size_t labels = 3;

const std::vector<std::string> heading = {"verdict",    "row",      "metric",   "base",
                                          "head",       "slowdown", "interval", "floor",
                                          "detectable", "n",        "p"};

bool has_values(const Comparison& comparison) {
  return comparison.verdict != Verdict::missing && comparison.verdict != Verdict::failed &&
         comparison.n > 0;
}

std::string interval_text(const Interval& interval) {
  std::string text =
      fmt::format("{} to {}", percent_text(interval.lower), percent_text(interval.upper));
  // Few values cannot reach the usual 95 %.
  if (interval.coverage < 0.945) text += fmt::format(" ({:.0f} %)", interval.coverage * 100);
  return text;
}

std::string p_text(double p) {
  return p < 0.0001 ? fmt::format("{:.0e}", p) : significant(p, 2);
}

std::vector<std::string> cells(const Comparison& comparison) {
  const Unit unit = unit_of(comparison.metric);
  std::vector<std::string> line = {verdict_text(comparison), comparison.row, comparison.metric};
  if (!has_values(comparison)) {
    line.resize(heading.size(), "-");
    return line;
  }
  line.push_back(with_unit(comparison.base, unit));
  line.push_back(with_unit(comparison.head, unit));
  line.push_back(percent_text(comparison.effect));
  line.push_back(interval_text(comparison.interval));
  line.push_back(percent_text(comparison.floor));
  line.push_back(percent_text(comparison.minimum_detectable_effect));
  line.push_back(fmt::format("{}", comparison.n));
  line.push_back(p_text(p_of(comparison)));
  return line;
}

}  // namespace

std::string verdict_text(const Comparison& comparison) {
  const auto sign = [&] {
    switch (comparison.verdict) {
      case Verdict::regression:
        return "▲";
      case Verdict::improvement:
        return "▼";
      case Verdict::differs:
        return comparison.effect > 0 ? "▲" : "▼";
      case Verdict::inconclusive:
        return "~";
      case Verdict::unchanged:
      case Verdict::identical:
        return "=";
      case Verdict::missing:
      case Verdict::failed:
        break;
    }
    return "!";
  };
  return fmt::format("{} {}{}", sign(), to_text(comparison.verdict),
                     comparison.waiver.empty() ? "" : " (waived)");
}

double p_of(const Comparison& comparison) {
  if (comparison.verdict == Verdict::unchanged) return comparison.p_unchanged;
  return comparison.effect > 0 ? comparison.p_regression : comparison.p_improvement;
}

std::string comparisons_legend() {
  return "slowdown: what head needs more than base (of a rate: gives less), Hodges and Lehmann's "
         "estimate with its interval; floor: up to which it is no matter; detectable: what would "
         "have been seen nine times in ten; n: values of a side; p: corrected";
}

std::string comparisons_terminal(std::span<const Comparison> comparisons) {
  TextRows rows = {heading};
  std::string reasons;
  for (const Comparison& comparison : comparisons) {
    rows.push_back(cells(comparison));
    for (const std::string& why : {comparison.reason, comparison.waiver}) {
      if (why.empty()) continue;
      reasons += fmt::format("  {}, {}, {}: {}\n", to_text(comparison.verdict), comparison.row,
                             comparison.metric, why);
    }
  }
  return terminal_rows(rows, labels) + reasons + comparisons_legend() + "\n";
}

std::string comparisons_markdown(std::span<const Comparison> comparisons) {
  TextRows rows = {heading};
  for (const Comparison& comparison : comparisons) {
    std::vector<std::string>& line = rows.emplace_back(cells(comparison));
    for (std::size_t i = 0; i < line.size(); ++i) {
      line[i] = i == 1 ? markdown_code(line[i]) : markdown_text(line[i]);
    }
    for (const std::string& why : {comparison.reason, comparison.waiver}) {
      if (!why.empty()) line[0] += ": " + markdown_text(why);
    }
  }
  return markdown_rows(rows, labels);
}

Json comparison_json(const Comparison& comparison) {
  return {{"row", comparison.row},
          {"metric", comparison.metric},
          {"verdict", to_text(comparison.verdict)},
          {"reason", comparison.reason},
          {"waiver", comparison.waiver},
          {"base", comparison.base},
          {"head", comparison.head},
          {"n", comparison.n},
          {"ties", comparison.ties},
          {"slowdown", comparison.slowdown()},
          {"effect", comparison.effect},
          {"lower", comparison.interval.lower},
          {"upper", comparison.interval.upper},
          {"coverage", comparison.interval.coverage},
          {"floor", comparison.floor},
          {"minimum_detectable_effect", comparison.minimum_detectable_effect},
          {"p_regression", comparison.p_regression},
          {"p_improvement", comparison.p_improvement},
          {"p_unchanged", comparison.p_unchanged}};
}

std::string comparisons_csv(std::span<const Comparison> comparisons) {
  std::string text;
  const Json columns = comparison_json({});
  for (const auto& [name, value] : columns.items()) text += (text.empty() ? "" : ",") + name;
  text += '\n';
  for (const Comparison& comparison : comparisons) {
    std::string line;
    const Json record = comparison_json(comparison);
    for (const auto& [name, value] : record.items()) {
      if (name != "row") line += ',';
      line += csv_field(value.is_string() ? value.get<std::string>() : value.dump());
    }
    text += line + '\n';
  }
  return text;
}

}  // namespace results
