// What a gate tells people and machines: each output is read back as its readers would.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <regex>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/compare/comparison_table.hpp"
#include "results/gate/report.hpp"
#include "results/units.hpp"
#include "tests/scratch.hpp"

#include <pugixml.hpp>

namespace {

using results::Comparison;
using results::Exit;
using results::GateReport;
using results::Json;
using results::Verdict;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Comparison row(const std::string& name, Verdict verdict, double percent = 0) {
  Comparison made;
  made.row = name;
  made.metric = "latency_ns_p50";
  made.verdict = verdict;
  made.base = 8120;
  made.head = 8120 * (1 + percent / 100);
  made.n = 30;
  made.effect = std::log1p(percent / 100);
  made.interval = {made.effect - 0.01, made.effect + 0.01, 0.957};
  made.floor = std::log(1.02);
  made.minimum_detectable_effect = std::log(1.014);
  made.p_regression = percent > 0 ? 0.00012 : 0.9;
  made.p_improvement = percent < 0 ? 0.00034 : 0.9;
  made.p_unchanged = 0.0056;
  return made;
}

Comparison missing(const std::string& name) {
  Comparison made;
  made.row = name;
  made.metric = "latency_ns_p50";
  made.verdict = Verdict::missing;
  made.reason = "head does not have it";
  return made;
}

GateReport report() {
  Comparison waived = row("a/k:3", Verdict::regression, 12);
  waived.waiver = "known (#12)";
  Comparison unsure = row("a/k:4", Verdict::inconclusive, 1.5);
  unsure.reason = "the budget ended";
  return {.base = "main",
          .head = "topic",
          .rows = {row("a/k:1", Verdict::regression, 10), row("a/k:2", Verdict::improvement, -5),
                   waived, unsure, row("a/k:5", Verdict::unchanged, 0.1), missing("a/k:6")},
          .environment = {.fields = {{"cpu", "Made Up"}}},
          .stages = {"screen: 6 rows"},
          .discarded = {"block 3: steal 7 %"},
          .notes = {"the waiver for x has expired"},
          .exit = Exit::regression};
}

TEST(GateReport, counts_what_there_is) {
  EXPECT_EQ(report().counts(),
            "2 regression (1 waived), 1 missing, 1 inconclusive, 1 improvement, 1 unchanged");
  EXPECT_EQ(GateReport{}.counts(), "no rows");
}

// The cells of the line about a row, in the order of the heading.
std::vector<std::string> cells(const std::string& text, const std::string& row) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("  " + row + "  ") == line.npos) continue;
    static const std::regex gap("  +");
    return {std::sregex_token_iterator(line.begin(), line.end(), gap, -1), {}};
  }
  return {};
}

TEST(GateText, shows_for_each_row_what_its_verdict_rests_on) {
  const std::string text = results::gate_text(report());
  EXPECT_THAT(cells(text, "row"),
              ElementsAre("verdict", "row", "metric", "base", "head", "slowdown", "interval",
                          "floor", "detectable", "n", "p"));
  EXPECT_THAT(cells(text, "a/k:1"),
              ElementsAre("▲ regression", "a/k:1", "latency_ns_p50", "8.12 µs", "8.93 µs",
                          "+10.0 %", "+8.9 % to +11.1 %", "+2.0 %", "+1.4 %", "30", "0.00012"));
  EXPECT_THAT(cells(text, "a/k:2"), testing::Contains("▼ improvement"));
  EXPECT_THAT(cells(text, "a/k:2"), testing::Contains("0.00034"));
  EXPECT_THAT(cells(text, "a/k:3"), testing::Contains("▲ regression (waived)"));
  EXPECT_THAT(cells(text, "a/k:4"), testing::Contains("~ inconclusive"));
  EXPECT_THAT(cells(text, "a/k:5"), testing::Contains("= unchanged"));
  EXPECT_THAT(cells(text, "a/k:5"), testing::Contains("0.0056"));
  EXPECT_THAT(text, AllOf(HasSubstr("inconclusive, a/k:4, latency_ns_p50: the budget ended"),
                          HasSubstr("missing, a/k:6, latency_ns_p50: head does not have it"),
                          HasSubstr("screen: 6 rows"), HasSubstr("block 3: steal 7 %"),
                          HasSubstr("the waiver for x has expired"),
                          HasSubstr("Gate: a regression was confirmed (2 regression")));
}

TEST(GateText, tells_the_coverage_that_few_values_reach) {
  GateReport few = report();
  few.rows = {row("a/k:1", Verdict::inconclusive, 10)};
  few.rows[0].interval.coverage = 0.9375;
  few.rows[0].minimum_detectable_effect = std::numeric_limits<double>::infinity();
  EXPECT_THAT(cells(results::gate_text(few), "a/k:1"),
              AllOf(testing::Contains("+8.9 % to +11.1 % (94 %)"), testing::Contains("-")));
}

TEST(GateText, is_there_without_rows) {
  EXPECT_THAT(results::gate_text({}), HasSubstr("Gate: passed (no rows)"));
}

GateReport many(std::size_t rows, Verdict verdict) {
  GateReport large = report();
  for (std::size_t i = 0; i < rows; ++i) {
    large.rows.push_back(row("round_trip/channel:some_channel/k:" + std::to_string(i), verdict, 1));
  }
  return large;
}

TEST(GateMarkdown, falls_back_to_what_matters_when_it_grows_too_long) {
  const std::string whole = results::gate_markdown(report());
  EXPECT_THAT(whole, AllOf(HasSubstr("▲ regression"), HasSubstr("`a/k:5`"), HasSubstr("`a/k:4`"),
                           HasSubstr("`topic`"), Not(HasSubstr("more rows"))));

  const std::string no_unchanged = results::gate_markdown(many(1000, Verdict::unchanged));
  EXPECT_THAT(no_unchanged,
              AllOf(HasSubstr("`a/k:1`"), HasSubstr("`a/k:4`"),
                    HasSubstr("1002 more rows are in verdict.json"), Not(HasSubstr("`a/k:5`"))));

  const std::string confirmed = results::gate_markdown(many(1000, Verdict::inconclusive));
  EXPECT_THAT(confirmed, AllOf(HasSubstr("`a/k:1`"), HasSubstr("`a/k:6`"),
                               HasSubstr("1003 more rows"), Not(HasSubstr("`a/k:4`"))));

  const std::string counts = results::gate_markdown(many(1000, Verdict::regression));
  EXPECT_THAT(counts, AllOf(HasSubstr("1002 regression (1 waived)"), HasSubstr("verdict.json"),
                            Not(HasSubstr("`a/k:1`"))));
  for (const std::string& text : {whole, no_unchanged, confirmed, counts}) {
    EXPECT_LE(text.size(), 60000U);
    EXPECT_THAT(text, StartsWith("## Gate: a regression was confirmed"));
  }
}

TEST(GateMarkdown, keeps_names_from_breaking_the_table) {
  GateReport hostile = report();
  hostile.rows = {row("a|b`c\nd<script>", Verdict::inconclusive, 1)};
  hostile.rows[0].reason = "x | y\nz <b>";
  const std::string text = results::gate_markdown(hostile);
  EXPECT_THAT(text, HasSubstr("`` a\\|b`c d<script> ``"));
  EXPECT_THAT(text, HasSubstr("x \\| y z \\<b\\>"));
}

// The one testcase of a row.
pugi::xml_node testcase(const pugi::xml_document& document, const char* row) {
  return document.child("testsuites").child("testsuite").find_child_by_attribute("name", row);
}

TEST(GateJunit, has_a_testcase_for_each_row) {
  pugi::xml_document document;
  const std::string text = results::gate_junit(report());
  ASSERT_TRUE(document.load_string(text.c_str())) << text;
  const pugi::xml_node suite = document.child("testsuites").child("testsuite");
  EXPECT_EQ(suite.attribute("tests").as_int(), 6);
  EXPECT_EQ(suite.attribute("failures").as_int(), 1) << "the other regression is waived";
  EXPECT_EQ(suite.attribute("errors").as_int(), 1);
  EXPECT_EQ(suite.attribute("skipped").as_int(), 1);
  EXPECT_THAT(testcase(document, "a/k:1").child("failure").attribute("message").value(),
              AllOf(HasSubstr("slowdown +10.0 %"), HasSubstr("n 30")));
  EXPECT_THAT(testcase(document, "a/k:3").child_value("system-out"), HasSubstr("waived: known"));
  EXPECT_FALSE(testcase(document, "a/k:3").child("failure"));
  EXPECT_STREQ(testcase(document, "a/k:4").child("skipped").attribute("message").value(),
               "the budget ended");
  EXPECT_STREQ(testcase(document, "a/k:6").child("error").attribute("message").value(),
               "missing: head does not have it");
  for (const char* passed : {"a/k:2", "a/k:5"}) {
    for (const char* bad : {"failure", "error", "skipped"}) {
      EXPECT_FALSE(testcase(document, passed).child(bad)) << passed;
    }
  }
  EXPECT_STREQ(testcase(document, "a/k:1").attribute("classname").value(), "latency_ns_p50");
}

TEST(GateJunit, is_xml_whatever_a_benchmark_printed) {
  GateReport hostile = report();
  hostile.rows = {row("a<b>&\"'\x01\x1b[31m", Verdict::failed)};
  hostile.rows[0].reason = "]]> \xff\xfe \x02 & <x>";
  pugi::xml_document document;
  const std::string text = results::gate_junit(hostile);
  ASSERT_TRUE(document.load_string(text.c_str())) << text;
  EXPECT_STREQ(testcase(document, "a<b>&\"'??[31m").child("error").attribute("message").value(),
               "failed: ]]> \uFFFD\uFFFD ? & <x>");
  EXPECT_EQ(text.find("&#1;"), text.npos) << "XML 1.0 does not know this character";
}

TEST(GateJson, tells_everything_in_full) {
  GateReport full = report();
  full.rows[0].minimum_detectable_effect = std::numeric_limits<double>::infinity();
  full.notes = {"bytes \xff"};
  const Json json = Json::parse(results::gate_json(full));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["exit"], 1);
  EXPECT_EQ(json["environment"]["hash"], full.environment.hash());
  EXPECT_EQ(json["environment"]["fields"]["cpu"], "Made Up");
  EXPECT_EQ(json["discarded"][0], "block 3: steal 7 %");
  ASSERT_EQ(json["rows"].size(), 6U);
  EXPECT_EQ(json["rows"][0]["verdict"], "regression");
  EXPECT_EQ(json["rows"][0]["red"], true);
  EXPECT_EQ(json["rows"][0]["effect"], full.rows[0].effect);
  EXPECT_EQ(json["rows"][0]["p_regression"], 0.00012);
  EXPECT_TRUE(json["rows"][0]["minimum_detectable_effect"].is_null()) << "JSON has no infinity";
  EXPECT_EQ(json["rows"][2]["red"], false);
  EXPECT_EQ(json["rows"][2]["waiver"], "known (#12)");
}

TEST(GateAnnotations, are_for_what_was_confirmed) {
  std::istringstream lines(results::gate_annotations(report()));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) found.push_back(line);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[0], StartsWith("::error title=regression of a/k%3A1::a/k:1 latency_ns_p50: "
                                   "+10.0 %25 slower"));
  EXPECT_THAT(found[1], StartsWith("::error title=missing of a/k%3A6::"));
  EXPECT_THAT(found[2], AllOf(StartsWith("::warning title=regression of a/k%3A3::"),
                              HasSubstr("waived: known (#12)")));
}

// A row could otherwise end its command and begin another, such as ::set-output.
TEST(GateAnnotations, cannot_be_ended_by_a_name) {
  GateReport hostile;
  hostile.rows = {row("a,b:c\r\n::warning::d%0A", Verdict::regression, 10)};
  const std::string text = results::gate_annotations(hostile);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_THAT(text, StartsWith("::error title=regression of a%2Cb%3Ac%0D%0A%3A%3Awarning%3A%3Ad"
                               "%250A::a,b:c%0D%0A::warning::d%250A latency_ns_p50: "));
}

TEST(GateStepSummary, is_added_to_the_file_that_github_names) {
  const Scratch scratch;
  const std::string file = (scratch.path() / "summary.md").string();
  std::ofstream(file) << "before\n";
  ::setenv("GITHUB_STEP_SUMMARY", file.c_str(), 1);
  results::write_step_summary(report());
  EXPECT_EQ(read(file), "before\n" + results::gate_markdown(report()));

  ::setenv("GITHUB_STEP_SUMMARY", (file + "/under/a/file").c_str(), 1);
  EXPECT_THROW(results::write_step_summary(report()), results::Failure);
  ::unsetenv("GITHUB_STEP_SUMMARY");
  results::write_step_summary(report());
  EXPECT_THAT(scratch.names(), ElementsAre("summary.md"));
}

TEST(ComparisonTable, writes_records_in_base_units) {
  const std::vector<Comparison> rows = {row("a,\"b\"", Verdict::differs, -50)};
  const std::string csv = results::comparisons_csv(rows);
  EXPECT_THAT(csv, StartsWith("row,metric,verdict,reason,waiver,base,head,n,ties,slowdown,effect,"
                              "lower,upper,coverage,floor,minimum_detectable_effect,p_regression,"
                              "p_improvement,p_unchanged\n\"a,\"\"b\"\"\",latency_ns_p50,differs,"
                              ",,8120.0,4060.0,30,0,0.5,"));
  EXPECT_EQ(results::verdict_text(rows[0]), "▼ differs");
}

TEST(Units, of_a_figure_follow_its_name) {
  using results::Unit;
  EXPECT_EQ(results::unit_of("real_time_ns"), Unit::nanoseconds);
  EXPECT_EQ(results::unit_of("latency_ns_p99_9"), Unit::nanoseconds);
  EXPECT_EQ(results::unit_of("cpu_ns_per_message"), Unit::nanoseconds);
  EXPECT_EQ(results::unit_of("messages_per_second"), Unit::per_second);
  EXPECT_EQ(results::unit_of("bytes_per_second"), Unit::bytes_per_second);
  EXPECT_EQ(results::unit_of("pss_bytes_per_worker"), Unit::bytes);
  EXPECT_EQ(results::unit_of("answers"), Unit::count);
  EXPECT_EQ(results::percent_text(std::log(2.5)), "+150 %");
  EXPECT_EQ(results::percent_text(std::log(0.5)), "-50.0 %");
  EXPECT_EQ(results::percent_text(std::nan("")), "-");
}

}  // namespace
