// JUnit XML, as CI servers read it (testmoapp/junitxml on GitHub describes the common ground).
#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "results/compare/comparison_table.hpp"
#include "results/gate/report.hpp"
#include "results/units.hpp"

#include <pugixml.hpp>

namespace results {
namespace {

// XML 1.0 knows neither most control characters nor bytes that are not UTF-8.
std::string xml_text(const std::string& text) {
  const std::string valid =
      Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
  std::string result;
  for (const char c : valid) {
    const bool known = static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t';
    result += known ? c : '?';
  }
  return result;
}

std::string figures(const Comparison& row) {
  return fmt::format(
      "base {} head {} slowdown {} interval {} to {} floor {} detectable {} n {} p {:.3g}",
      with_unit(row.base, unit_of(row.metric)), with_unit(row.head, unit_of(row.metric)),
      percent_text(row.effect), percent_text(row.interval.lower), percent_text(row.interval.upper),
      percent_text(row.floor), percent_text(row.minimum_detectable_effect), row.n, p_of(row));
}

void add(pugi::xml_node testcase, const char* kind, const std::string& message) {
  pugi::xml_node outcome = testcase.append_child(kind);
  outcome.append_attribute("message") = xml_text(message).c_str();
}

void add_outcome(pugi::xml_node testcase, const Comparison& row) {
  switch (row.verdict) {
    case Verdict::missing:
    case Verdict::failed:
      add(testcase, "error", fmt::format("{}: {}", to_text(row.verdict), row.reason));
      return;
    case Verdict::inconclusive:
      add(testcase, "skipped", row.reason.empty() ? "inconclusive: " + figures(row) : row.reason);
      break;
    case Verdict::regression:
      if (is_red(row)) add(testcase, "failure", "regression: " + figures(row));
      break;
    case Verdict::improvement:
    case Verdict::unchanged:
    case Verdict::differs:
    case Verdict::identical:
      break;
  }
  const std::string said =
      row.waiver.empty() ? figures(row) : figures(row) + "\nwaived: " + row.waiver;
  testcase.append_child("system-out").text() = xml_text(said).c_str();
}

}  // namespace

std::string gate_junit(const GateReport& report) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node suite = document.append_child("testsuites").append_child("testsuite");
  const auto count = [&](auto wanted) {
    return static_cast<long long>(std::count_if(report.rows.begin(), report.rows.end(), wanted));
  };
  suite.append_attribute("name") = "ipc-compare gate";
  suite.append_attribute("tests") = static_cast<long long>(report.rows.size());
  suite.append_attribute("failures") = count(is_red);
  suite.append_attribute("errors") = count([](const Comparison& row) {
    return row.verdict == Verdict::missing || row.verdict == Verdict::failed;
  });
  suite.append_attribute("skipped") =
      count([](const Comparison& row) { return row.verdict == Verdict::inconclusive; });
  for (const Comparison& row : report.rows) {
    pugi::xml_node testcase = suite.append_child("testcase");
    testcase.append_attribute("classname") = xml_text(row.metric).c_str();
    testcase.append_attribute("name") = xml_text(row.row).c_str();
    add_outcome(testcase, row);
  }
  std::ostringstream text;
  document.save(text, " ");
  return text.str();
}

}  // namespace results
