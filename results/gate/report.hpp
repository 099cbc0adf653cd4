// What a gate has to say, for each of those who read it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "results/compare/comparison.hpp"
#include "results/environment_key.hpp"
#include "results/failure.hpp"

namespace results {

struct GateReport {
  std::string base;                    // what was compared, as the user named it
  std::string head;                    //
  std::vector<Comparison> rows;        // in the order in which they are shown
  EnvironmentKey environment;          // that both sides were measured in
  std::vector<std::string> stages;     // "screen: 300 rows, 12 pairs each, 6 suspects, 17 min"
  std::vector<std::string> discarded;  // blocks that were thrown out, and why
  std::vector<std::string> notes;      // waivers that do not hold, what the budget cut off, ...
  Exit exit = Exit::ok;

  // "2 regressions (1 waived), 1 improvement, 17 unchanged": never empty.
  [[nodiscard]] std::string counts() const;
};

// Whether a row makes the gate red: a regression without a waiver.
bool is_red(const Comparison& row);

// For a terminal: aligned, each row with its n, interval, floor, smallest detectable effect and p.
std::string gate_text(const GateReport& report);

// For a page or a comment. At most `bytes_max` bytes of UTF-8: where all rows do not fit, the red,
// missing and failed ones and the inconclusive ones; then the red ones; then counts alone.
// Requires bytes_max >= 1000.
std::string gate_markdown(const GateReport& report, std::size_t bytes_max = 60000);

// JUnit XML with one testcase for each row: a regression is a failure, a missing or failed row an
// error, an inconclusive one skipped, a waived one passes and says so in system-out.
std::string gate_junit(const GateReport& report);

// verdict.json: everything in the report, numbers in full.
std::string gate_json(const GateReport& report);

// Workflow commands of GitHub Actions, one a line: an error for each red row and each row that is
// missing or failed, a warning for each waived one; nothing for what was not confirmed.
std::string gate_annotations(const GateReport& report);

// Adds the Markdown to the file that GITHUB_STEP_SUMMARY names; without the variable, nothing.
// Throws Failure(output).
void write_step_summary(const GateReport& report);

}  // namespace results
