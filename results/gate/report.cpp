#include "results/gate/report.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/compare/comparison_table.hpp"
#include "results/publish/render.hpp"
#include "results/units.hpp"

namespace results {
namespace {

constexpr int verdict_schema = 1;  // of verdict.json

std::string_view exit_text(Exit exit) {
  switch (exit) {
    case Exit::ok:
      return "passed";
    case Exit::regression:
      return "a regression was confirmed";
    case Exit::inconclusive:
      return "nothing could be concluded";
    case Exit::benchmark:
      return "a benchmark is missing or failed";
    case Exit::interrupted:
      return "interrupted";
    case Exit::usage:
    case Exit::output:
      break;
  }
  return "could not be done";
}

bool is_broken(const Comparison& row) {
  return row.verdict == Verdict::missing || row.verdict == Verdict::failed;
}

std::string title(const GateReport& report) {
  return fmt::format("Gate: {} ({})", exit_text(report.exit), report.counts());
}

// What a red row says where there is no table.
std::string sentence(const Comparison& row) {
  if (is_broken(row)) return fmt::format("{} {}: {}", row.row, to_text(row.verdict), row.reason);
  return fmt::format("{} {}: {} slower ({} to {}), floor {}, n {}, p {:.2g}", row.row, row.metric,
                     percent_text(row.effect), percent_text(row.interval.lower),
                     percent_text(row.interval.upper), percent_text(row.floor), row.n, p_of(row));
}

std::string markdown_list(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += fmt::format("- {}\n", markdown_text(line));
  return text.empty() ? text : text + "\n";
}

// As GitHub's workflow commands want it: a property ends at a comma or a colon, data at the line.
std::string escaped(std::string_view text, bool property) {
  std::string result;
  for (const char c : text) {
    const bool special = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    result += special ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return result;
}

}  // namespace

bool is_red(const Comparison& row) {
  return row.verdict == Verdict::regression && row.waiver.empty();
}

std::string GateReport::counts() const {
  constexpr std::array<Verdict, 8> order = {
      Verdict::regression,  Verdict::missing,   Verdict::failed,    Verdict::inconclusive,
      Verdict::improvement, Verdict::unchanged, Verdict::identical, Verdict::differs};
  std::vector<std::string> parts;
  for (const Verdict verdict : order) {
    const auto is_it = [&](const Comparison& row) { return row.verdict == verdict; };
    const auto count = std::count_if(rows.begin(), rows.end(), is_it);
    if (count == 0) continue;
    const auto waived = std::count_if(rows.begin(), rows.end(), [&](const Comparison& row) {
      return is_it(row) && !row.waiver.empty();
    });
    parts.push_back(fmt::format("{} {}{}", count, to_text(verdict),
                                waived == 0 ? std::string() : fmt::format(" ({} waived)", waived)));
  }
  return parts.empty() ? "no rows" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string gate_text(const GateReport& report) {
  std::string text = fmt::format("base {}, head {}\n", report.base, report.head);
  for (const auto* lines : {&report.stages, &report.discarded}) {
    for (const std::string& line : *lines) text += line + '\n';
  }
  if (!report.rows.empty()) text += comparisons_terminal(report.rows);
  for (const std::string& note : report.notes) text += note + '\n';
  return text + fmt::format("environment {}\n", report.environment.hash()) + title(report) + '\n';
}

std::string gate_markdown(const GateReport& report, std::size_t bytes_max) {
  const std::string head =
      fmt::format("## {}\n\nBase {}, head {}, environment {}.\n\n", markdown_text(title(report)),
                  markdown_code(report.base), markdown_code(report.head),
                  markdown_code(report.environment.hash()));
  const std::string stages = markdown_list(report.stages);
  const std::string notes = markdown_list(report.discarded) + markdown_list(report.notes);
  const auto shown_if = [&](auto wanted) {
    std::vector<Comparison> shown;
    std::copy_if(report.rows.begin(), report.rows.end(), std::back_inserter(shown), wanted);
    std::string text = head + stages;
    if (!shown.empty()) {
      text += comparisons_markdown(shown) + "\n" + markdown_text(comparisons_legend()) + "\n\n";
    }
    if (shown.size() < report.rows.size()) {
      text +=
          fmt::format("{} more rows are in verdict.json.\n\n", report.rows.size() - shown.size());
    }
    return text + notes;
  };
  const auto is_confirmed = [](const Comparison& row) {
    return row.verdict == Verdict::regression || is_broken(row);
  };
  std::string text = shown_if([](const Comparison&) { return true; });
  if (text.size() <= bytes_max) return text;
  text = shown_if([&](const Comparison& row) {
    return is_confirmed(row) || row.verdict == Verdict::inconclusive;
  });
  if (text.size() <= bytes_max) return text;
  text = shown_if(is_confirmed);
  if (text.size() <= bytes_max) return text;
  // The names of base and head are the user's, and may be of any length.
  text = fmt::format("## {}\n\nThe rows are in verdict.json.\n", markdown_text(title(report)));
  return text;
}

std::string gate_json(const GateReport& report) {
  Json rows = Json::array();
  for (const Comparison& row : report.rows) {
    Json& object = rows.emplace_back(comparison_json(row));
    object["red"] = is_red(row);
  }
  const Json document = {
      {"schema", verdict_schema},
      {"exit", static_cast<int>(report.exit)},
      {"verdict", exit_text(report.exit)},
      {"base", report.base},
      {"head", report.head},
      {"environment", {{"hash", report.environment.hash()}, {"fields", report.environment.fields}}},
      {"stages", report.stages},
      {"discarded", report.discarded},
      {"notes", report.notes},
      {"rows", rows}};
  // What a benchmark printed need not be UTF-8.
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string gate_annotations(const GateReport& report) {
  std::string text;
  const auto add = [&](std::string_view level, const Comparison& row, const std::string& message) {
    text += fmt::format("::{} title={}::{}\n", level,
                        escaped(fmt::format("{} of {}", to_text(row.verdict), row.row), true),
                        escaped(message, false));
  };
  for (const Comparison& row : report.rows) {
    if (is_red(row) || is_broken(row)) add("error", row, sentence(row));
  }
  for (const Comparison& row : report.rows) {
    if (!row.waiver.empty()) add("warning", row, sentence(row) + "; waived: " + row.waiver);
  }
  return text;
}

void write_step_summary(const GateReport& report) {
  const char* file = std::getenv("GITHUB_STEP_SUMMARY");
  if (file == nullptr || *file == '\0') return;
  std::ofstream stream(file, std::ios::app);
  if (!(stream << gate_markdown(report) << std::flush)) {
    throw Failure(Exit::output,
                  fmt::format("cannot write {}, which GITHUB_STEP_SUMMARY names", file));
  }
}

}  // namespace results
