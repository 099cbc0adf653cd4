#include "results/gate/stages.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "results/compare/judge.hpp"
#include "results/statistics/multiple_testing.hpp"

namespace results {
namespace {

// A row in a metric.
struct Line {
  std::size_t row;
  std::string metric;
  std::vector<Pair> confirmed_by{};  // fresh pairs, of a suspect
};

class Gate {
 public:
  Gate(const std::vector<std::string>& names, const Policy& policy, const FloorOf& floor,
       const MeasurePairs& measure)
      : names_(names), policy_(policy), floor_(floor), measure_(measure) {}

  Decision decide() {
    if (screen() && !suspects_.empty() && confirm("confirm")) {
      // Only what is open, and the others keep what they have.
      if (!open().empty()) confirm("confirm again");
    }
    return std::move(decision_);
  }

 private:
  // False when nothing more can be measured.
  bool screen() {
    std::vector<std::size_t> rows(names_.size());
    for (std::size_t row = 0; row < rows.size(); ++row) rows[row] = row;
    const auto blocks = static_cast<int>(policy_.screen_pairs);
    const Paired paired = take(rows, blocks, "screen");
    for (const std::size_t row : rows) {
      for (const std::string& metric : policy_.metrics) add_line(paired, row, metric);
    }
    if (!decision_.unfit.empty()) return false;

    std::vector<double> improvements;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (decision_.rows[i].p_regression <= policy_.screen_alpha) suspects_.push_back(i);
      improvements.push_back(decision_.rows[i].p_improvement);
    }
    // Nothing depends on an improvement, so that it is told from the pairs at hand.
    const std::vector<double> adjusted = benjamini_hochberg(improvements);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      Comparison& line = decision_.rows[i];
      line.p_improvement = adjusted[i];
      if (line.n == 0) continue;
      const bool suspect = std::ranges::find(suspects_, i) != suspects_.end();
      give_verdict(line, improvement_alpha);
      if (line.verdict == Verdict::regression || suspect) {
        line.verdict = Verdict::inconclusive;
        line.reason = "a suspect that was not confirmed";
      }
    }
    decision_.stages.push_back(fmt::format("screen: {} row{}, {} blocks each, {} suspect{}",
                                           names_.size(), names_.size() == 1 ? "" : "s", blocks,
                                           suspects_.size(), suspects_.size() == 1 ? "" : "s"));
    return decision_.complete;
  }

  void add_line(const Paired& paired, std::size_t row, const std::string& metric) {
    const auto pairs = paired.rows[row].find(metric);
    Comparison comparison;
    if (!paired.failures[row].empty()) {
      comparison = without_values(names_[row], metric, Verdict::failed, paired.failures[row]);
    } else if (pairs != paired.rows[row].end()) {
      comparison = compare(names_[row], metric, pairs->second, floor_(names_[row], metric),
                           policy_.screen_alpha);
    } else if (!decision_.unfit.empty()) {
      comparison = without_values(names_[row], metric, Verdict::inconclusive,
                                  "the machine was too disturbed to measure it");
    } else if (!decision_.complete) {
      comparison = without_values(names_[row], metric, Verdict::inconclusive,
                                  "there was no time to measure it");
    } else {
      comparison =
          without_values(names_[row], metric, Verdict::missing, "no launch reports this metric");
    }
    lines_.push_back({.row = row, .metric = metric});
    decision_.rows.push_back(std::move(comparison));
  }

  // Measures what is open on fresh pairs and judges all that were fresh so far. False when nothing
  // more can be measured.
  bool confirm(const std::string& stage) {
    const std::vector<std::size_t> lines = stage == "confirm" ? suspects_ : open();
    std::set<std::size_t> rows;
    for (const std::size_t line : lines) rows.insert(lines_[line].row);
    const auto blocks = static_cast<int>(policy_.confirm_pairs);
    const Paired paired = take({rows.begin(), rows.end()}, blocks, stage);
    if (!decision_.unfit.empty()) return false;

    std::vector<double> regressions(suspects_.size(), 1.0);
    std::map<std::size_t, Comparison> fresh;
    for (std::size_t i = 0; i < suspects_.size(); ++i) {
      const std::size_t line = suspects_[i];
      if (std::ranges::find(lines, line) == lines.end()) continue;
      fresh[line] = judge_afresh(lines_[line], paired);
      regressions[i] = fresh[line].p_regression;
    }
    const std::vector<double> adjusted = holm(regressions);
    std::size_t confirmed = 0;
    for (std::size_t i = 0; i < suspects_.size(); ++i) {
      const auto judged = fresh.find(suspects_[i]);
      if (judged == fresh.end()) continue;
      if (judged->second.n > 0) {
        judged->second.p_regression = adjusted[i];
        give_verdict(judged->second, stage_alpha());
      }
      confirmed += judged->second.verdict == Verdict::regression ? 1 : 0;
      decision_.rows[suspects_[i]] = std::move(judged->second);
    }
    decision_.stages.push_back(fmt::format("{}: {} suspect{}, {} fresh blocks each, {} confirmed",
                                           stage, lines.size(), lines.size() == 1 ? "" : "s",
                                           blocks, confirmed));
    return decision_.complete;
  }

  Comparison judge_afresh(Line& line, const Paired& paired) {
    if (!paired.failures[line.row].empty()) {
      return without_values(names_[line.row], line.metric, Verdict::failed,
                            paired.failures[line.row]);
    }
    const auto pairs = paired.rows[line.row].find(line.metric);
    if (pairs != paired.rows[line.row].end()) {
      line.confirmed_by.insert(line.confirmed_by.end(), pairs->second.begin(), pairs->second.end());
    }
    if (line.confirmed_by.empty()) {
      return without_values(names_[line.row], line.metric, Verdict::inconclusive,
                            "a suspect, and there was no time to confirm it");
    }
    const std::string& name = names_[line.row];
    return compare(name, line.metric, line.confirmed_by, floor_(name, line.metric),
                   stage_alpha() / static_cast<double>(suspects_.size()));
  }

  [[nodiscard]] std::vector<std::size_t> open() const {
    std::vector<std::size_t> lines;
    std::ranges::copy_if(suspects_, std::back_inserter(lines), [&](std::size_t line) {
      return decision_.rows[line].verdict == Verdict::inconclusive;
    });
    return lines;
  }

  [[nodiscard]] double stage_alpha() const { return policy_.alpha / 2; }

  Paired take(const std::vector<std::size_t>& rows, int blocks, const std::string& stage) {
    Paired paired = measure_(rows, blocks, stage);
    decision_.discarded.insert(decision_.discarded.end(), paired.discarded.begin(),
                               paired.discarded.end());
    if (paired.unfit) {
      decision_.unfit = fmt::format("{} of the blocks were disturbed: {}", paired.discarded.size(),
                                    paired.discarded.back());
    }
    decision_.complete = decision_.complete && paired.complete;
    return paired;
  }

  static constexpr double improvement_alpha = 0.05;

  const std::vector<std::string>& names_;
  const Policy& policy_;
  const FloorOf& floor_;
  const MeasurePairs& measure_;
  std::vector<Line> lines_;            // as Decision::rows
  std::vector<std::size_t> suspects_;  // numbers of lines
  Decision decision_;
};

}  // namespace

Decision decide(const std::vector<std::string>& names, const Policy& policy, const FloorOf& floor,
                const MeasurePairs& measure) {
  return Gate(names, policy, floor, measure).decide();
}

}  // namespace results
