// Two files of measurements: what is read of them, what is said about them, and how
// `ipc-compare compare` ends.
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "results/compare/files.hpp"
#include "results/compare/unpaired.hpp"
#include "results/failure.hpp"
#include "results/run_file.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using results::Comparison;
using results::Correction;
using results::Exit;
using results::Failure;
using results::FilesComparison;
using results::FilesOptions;
using results::Json;
using results::Run;
using results::Verdict;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

const fs::path program = fs::path(PROJECT_BINARY_DIR) / "results/ipc-compare";
const fs::path golden = fs::path(PROJECT_SOURCE_DIR) / "tests/golden/compare";

// Of Google Benchmark 1.7.1, with --benchmark_repetitions=3 and random interleaving.
const fs::path dialect_1_7 = golden / "benchmark-1.7.json";
// As 1.8 and later write it: a schema, a version, rows that were skipped.
const fs::path dialect_1_9 = golden / "benchmark-1.9.json";

TEST(Measurements, of_google_benchmark_are_one_launch_whose_repetitions_count) {
  const results::Run run = results::read_measurements(dialect_1_7);
  EXPECT_TRUE(run.is_one_launch);
  std::vector<int> repetitions;
  for (const results::Row& row : run.rows) {
    if (row.name.text() != "copy/4096") continue;
    repetitions.push_back(row.launch);
    EXPECT_EQ(row.label, "plain");
    EXPECT_EQ(row.figures.at("delta"), -3);
    EXPECT_GT(row.figures.at("bytes_per_second"), 0);
    EXPECT_GT(row.figures.at("items_per_second"), 0);
    EXPECT_GT(row.figures.at("cpu_time_ns"), 0);
  }
  EXPECT_THAT(repetitions, ElementsAre(0, 1, 2));
  EXPECT_THAT(run.rows, SizeIs(9)) << "three rows, without the aggregates";
  EXPECT_THAT(run.failed, Contains("broken: no such file"));
}

TEST(Measurements, of_later_dialects_are_read_too) {
  const results::Run run = results::read_measurements(dialect_1_9);
  ASSERT_THAT(run.rows, SizeIs(1));
  EXPECT_THAT(run.rows[0].figures,
              ElementsAre(Pair("allocs_per_iter", 0), Pair("cpu_time_ns", testing::DoubleEq(41)),
                          Pair("items_per_second", testing::DoubleEq(2.380952380952381e7)),
                          Pair("real_time_ns", testing::DoubleEq(42))));
  EXPECT_THAT(run.failed, ElementsAre("needs_network: skipped: no network here"));
  EXPECT_EQ(run.text("/build/libraries/benchmark"), "v1.9.1");
  EXPECT_EQ(run.text("/machine/cpus"), "8");
  EXPECT_THAT(run.about.dump(), Not(HasSubstr("3000"))) << "a clock rate is not of a machine";
}

class CompareFiles : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) const {
    const fs::path file = scratch.path() / name;
    std::ofstream(file) << text;
    return file;
  }

  // The words with which a file is refused.
  [[nodiscard]] std::string refusal(const std::string& text) const {
    try {
      results::read_measurements(write("bad.json", text));
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.exit(), Exit::usage);
      EXPECT_THAT(failure.what(), AllOf(HasSubstr("bad.json: "), Not(HasSubstr("\n"))));
      return failure.what();
    }
    return "was accepted";
  }
  [[nodiscard]] std::string refusal_after(const std::string& from, const std::string& to) const {
    std::string text = read(dialect_1_9);
    return refusal(text.replace(text.find(from), from.size(), to));
  }

  Scratch scratch;
};

TEST_F(CompareFiles, refuse_what_is_no_measurement) {
  const std::string whole = read(dialect_1_7);
  for (const std::size_t size : {std::size_t{1}, whole.size() / 4, whole.size() - 3}) {
    EXPECT_THAT(refusal(whole.substr(0, size)), HasSubstr("parse error at line")) << size;
  }
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal("PK\x03\x04"), HasSubstr("parse error"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("parse error"));
  for (const char* foreign :
       {"[]", "3", "null", "{}", R"({"benchmarks": []})", R"({"context": 3, "benchmarks": []})"}) {
    EXPECT_THAT(refusal(foreign), HasSubstr("context: is missing; this is not the JSON of"));
  }
  EXPECT_THAT(refusal(R"({"context": {}, "benchmarks": {}})"), HasSubstr("is not a list"));
  EXPECT_THAT(refusal(R"({"context": {}, "benchmarks": []})"), HasSubstr("holds no row"));
  EXPECT_THAT(refusal_after("\"iteration\"", "\"aggregate\""), HasSubstr("holds aggregates alone"));
  EXPECT_THAT(refusal_after("\"iteration\"", "3"), HasSubstr("benchmarks[0].run_type"));
  EXPECT_THAT(refusal_after("4.2000000000000001e-02", "NaN"), HasSubstr("parse error at line 34"));
  EXPECT_THAT(refusal_after("4.2000000000000001e-02", "1e999"), HasSubstr("number overflow"));
  EXPECT_THAT(refusal_after("4.2000000000000001e-02", "-1"), HasSubstr("benchmarks[0].real_time"));
  EXPECT_THAT(refusal_after("4.2000000000000001e-02", "null"), HasSubstr("is not a number"));
  EXPECT_THAT(refusal_after("2.3809523809523810e+07", "null"),
              HasSubstr("benchmarks[0].items_per_second: is null"));
  EXPECT_THAT(refusal_after("\"us\"", "\"h\""), HasSubstr("benchmarks[0].time_unit"));
  EXPECT_THAT(refusal_after("version\": 1", "version\": 2"),
              HasSubstr("context.json_schema_version: is 2, this program reads 1"));
}

// A run file in memory: a row's values, one of each launch.
using Rows = std::vector<std::pair<std::string, std::vector<double>>>;
Run run_of(const Rows& rows, const std::string& metric = "real_time_ns") {
  Run run{.file = "made-up.json",
          .about = Json::parse(R"({"machine": {"id": "m", "cpu": "Made Up", "cpus": 2}})"),
          .rows = {},
          .failed = {}};
  for (const auto& [name, values] : rows) {
    int launch = 0;
    for (const double value : values) {
      run.rows.push_back({.name = results::parse_name(name),
                          .launch = launch++,
                          .figures = {{metric, value}},
                          .label = {}});
    }
  }
  return run;
}

// About `middle`, no two alike, within a percent.
std::vector<double> around(double middle, int n) {
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(middle * (1 + 0.01 * (i * 7 % n - n / 2) / n));
  return values;
}

FilesComparison compare(const Rows& base, const Rows& head, FilesOptions options = {}) {
  options.floor = std::log(1.02);
  return results::compare_files(run_of(base), run_of(head), options);
}

TEST(CompareRuns, says_that_figures_differ_and_never_that_they_regressed) {
  const FilesComparison slower = compare({{"a", around(100, 10)}}, {{"a", around(120, 10)}});
  ASSERT_THAT(slower.rows, SizeIs(1));
  EXPECT_EQ(slower.rows[0].verdict, Verdict::differs);
  EXPECT_NEAR(slower.rows[0].slowdown(), 1.2, 0.01);
  EXPECT_LT(slower.rows[0].interval.lower, std::log(1.2));
  EXPECT_GT(slower.rows[0].interval.upper, std::log(1.2));
  EXPECT_EQ(slower.rows[0].n, 10U);
  EXPECT_LT(slower.rows[0].p_regression, 0.001);
  EXPECT_THAT(slower.notes, ElementsAre(HasSubstr("that they differ is shown, not why")));

  const FilesComparison faster = compare({{"a", around(120, 10)}}, {{"a", around(100, 10)}});
  EXPECT_EQ(faster.rows[0].verdict, Verdict::differs);
  EXPECT_LT(faster.rows[0].effect, 0);
  EXPECT_LT(faster.rows[0].p_improvement, 0.001);
}

TEST(CompareRuns, of_a_rate_less_is_worse) {
  FilesOptions options;
  options.metrics = {"messages_per_second"};
  const auto at = [](double rate) {
    return run_of({{"a", around(rate, 10)}}, "messages_per_second");
  };
  const Comparison row = results::compare_files(at(120), at(100), options).rows.at(0);
  EXPECT_EQ(row.verdict, Verdict::differs);
  EXPECT_NEAR(row.slowdown(), 1.2, 0.01);
}

TEST(CompareRuns, shows_that_nothing_changed_or_that_nothing_was_shown) {
  const FilesComparison same = compare({{"a", around(100, 10)}}, {{"a", around(100.3, 10)}});
  EXPECT_EQ(same.rows[0].verdict, Verdict::unchanged);
  EXPECT_LT(same.rows[0].p_unchanged, 0.01);
  EXPECT_GT(same.rows[0].minimum_detectable_effect, same.rows[0].floor);
  EXPECT_LT(same.rows[0].minimum_detectable_effect, std::log(1.05));

  // 2.1 % is above the floor, but by less than such values can show.
  const FilesComparison near = compare({{"a", around(100, 10)}}, {{"a", around(102.1, 10)}});
  EXPECT_EQ(near.rows[0].verdict, Verdict::inconclusive);
}

// 3 and 3 launches have 20 orders: no p is below 2/20.
TEST(CompareRuns, tells_when_no_row_could_differ) {
  const FilesComparison few = compare({{"a", around(100, 3)}}, {{"a", around(300, 3)}});
  EXPECT_EQ(few.rows[0].verdict, Verdict::inconclusive);
  EXPECT_NEAR(few.rows[0].p_regression, 0.1, 1e-12);
  EXPECT_TRUE(std::isinf(few.rows[0].minimum_detectable_effect));
  EXPECT_THAT(few.notes, Contains(HasSubstr("no row could differ: with so few values p is at least "
                                            "0.1, above 0.05; measure more launches")));
  const FilesComparison enough = compare({{"a", around(100, 4)}}, {{"a", around(300, 4)}});
  EXPECT_EQ(enough.rows[0].verdict, Verdict::differs);
  EXPECT_THAT(enough.notes, Not(Contains(HasSubstr("no row could differ"))));
}

TEST(CompareRuns, corrects_for_how_many_rows_are_looked_at) {
  Rows base, head;
  for (int i = 0; i < 20; ++i) {
    base.emplace_back("row/k:" + std::to_string(i), around(100, 5));
    head.emplace_back("row/k:" + std::to_string(i), around(i == 0 ? 150 : 100, 5));
  }
  const auto p_of_the_first = [&](Correction correction) {
    FilesOptions options;
    options.correction = correction;
    return compare(base, head, options).rows.at(0).p_regression;
  };
  EXPECT_NEAR(p_of_the_first(Correction::none), 2.0 / 252, 1e-12);
  EXPECT_NEAR(p_of_the_first(Correction::holm), 20 * 2.0 / 252, 1e-12);
  EXPECT_NEAR(p_of_the_first(Correction::bh), 20 * 2.0 / 252, 1e-12) << "alone, it is as Holm's";
}

// Of 200 pairs of runs of the same, 5 % may show anything at all: 10, and 19 by bad luck.
TEST(CompareRuns, seldom_says_that_the_same_differs) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> noise(100, 2);
  const auto ten_rows = [&] {
    Rows rows;
    for (int row = 0; row < 10; ++row) {
      auto& values =
          rows.emplace_back("row/k:" + std::to_string(row), std::vector<double>(8)).second;
      std::generate(values.begin(), values.end(), [&] { return noise(random); });
    }
    return run_of(rows);
  };
  FilesOptions options;
  options.correction = Correction::holm;
  int alarms = 0;
  for (int pair = 0; pair < 200; ++pair) {
    const FilesComparison comparison = results::compare_files(ten_rows(), ten_rows(), options);
    alarms += std::any_of(comparison.rows.begin(), comparison.rows.end(),
                          [](const Comparison& row) { return row.verdict == Verdict::differs; });
  }
  EXPECT_LE(alarms, 19);
  EXPECT_GE(alarms, 1) << "a test that never errs sees nothing either";
}

TEST(CompareRuns, lists_what_only_one_side_has) {
  const FilesComparison comparison = compare({{"both", around(100, 5)}, {"old", around(100, 5)}},
                                             {{"new", around(100, 5)}, {"both", around(100, 5)}});
  ASSERT_THAT(comparison.rows, SizeIs(3));
  EXPECT_EQ(comparison.rows[1].row, "old");
  EXPECT_EQ(comparison.rows[1].verdict, Verdict::missing);
  EXPECT_EQ(comparison.rows[1].reason, "head does not have it");
  EXPECT_EQ(comparison.rows[2].row, "new");
  EXPECT_EQ(comparison.rows[2].reason, "base does not have it");
}

TEST(CompareRuns, tells_of_another_shape_with_the_same_middle) {
  std::vector<double> one, two;
  for (int i = 0; i < 30; ++i) {
    one.push_back(100 + 0.01 * i - 0.145);
    two.push_back((i % 2 == 0 ? 90 : 110) + 0.01 * i - 0.145);
  }
  const FilesComparison comparison = compare({{"a", one}}, {{"a", two}});
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::inconclusive);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("its shape is not (Kolmogorov and Smirnov")));
}

TEST(CompareRuns, leaves_out_what_has_no_logarithm) {
  const FilesComparison comparison =
      compare({{"a", {0, 1, 2}}, {"b", around(100, 5)}}, {{"a", {1, 2, 3}}, {"b", around(100, 5)}});
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::inconclusive);
  EXPECT_THAT(comparison.rows[0].reason, HasSubstr("not above 0"));
}

TEST(UnpairedTest, has_the_floor_inside_its_hypotheses) {
  const std::vector<double> base = {0, 0.01, 0.02, 0.03}, head = {1, 1.01, 1.02, 1.03};
  EXPECT_NEAR(results::unpaired_test(base, head, 0).p_slower, 1.0 / 70, 1e-12);
  EXPECT_NEAR(results::unpaired_test(base, head, 0.9).p_slower, 1.0 / 70, 1e-12);
  EXPECT_GT(results::unpaired_test(base, head, 1.1).p_slower, 0.9);
  EXPECT_NEAR(results::unpaired_test(base, head, 1.1).p_unchanged, 1.0 / 70, 1e-12);
  EXPECT_GT(results::unpaired_test(base, head, 0.9).p_unchanged, 0.9);
  EXPECT_GT(results::unpaired_test(head, base, 0.9).p_unchanged, 0.9) << "faster is a change too";
  EXPECT_NEAR(results::unpaired_test(base, head, 0).p_smallest, 1.0 / 70, 1e-12);
  EXPECT_NEAR(results::unpaired_test(base, head, 0).effect, 1, 1e-12);
}

struct Outcome {
  int code;
  std::string output;
  std::string errors;
};

class CompareCommand : public CompareFiles {
 protected:
  [[nodiscard]] Outcome run(const std::string& arguments) const {
    const fs::path out = scratch.path() / "stdout", err = scratch.path() / "stderr";
    const int status = std::system(fmt::format("cd '{}' && '{}' compare {} >'{}' 2>'{}' </dev/null",
                                               scratch.path().string(), program.string(), arguments,
                                               out.string(), err.string())
                                       .c_str());
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .output = read(out),
            .errors = read(err)};
  }

  // A run file of ten launches of the rows a/k:1 and b.
  [[nodiscard]] Json document(double a, double b) const {
    Json entries = Json::array();
    for (int launch = 0; launch < 10; ++launch) {
      const auto add = [&](const char* name, double time) {
        entries.push_back({{"name", name},
                           {"run_type", "iteration"},
                           {"real_time", around(time, 10)[static_cast<std::size_t>(launch)]},
                           {"cpu_time", 1},
                           {"time_unit", "ns"},
                           {"binary", "x"},
                           {"launch", launch}});
      };
      add("a/k:1", a);
      add("b", b);
    }
    return {{"context",
             {{"ipc_compare",
               {{"schema", 1}, {"machine", {{"id", "m"}, {"cpu", "Made Up"}, {"cpus", 2}}}}}}},
            {"benchmarks", entries}};
  }
  void SetUp() override {
    write("base.json", document(100, 50).dump());
    write("head.json", document(120, 50).dump());
  }
};

TEST_F(CompareCommand, prints_a_table_and_ends_well) {
  const Outcome outcome = run("base.json head.json");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("▲ differs    a/k:1  real_time_ns"), HasSubstr("= unchanged  b"),
                    HasSubstr("+20.0 %"), HasSubstr("not why"), Not(HasSubstr("regression"))));
  EXPECT_EQ(outcome.errors, "");
}

TEST_F(CompareCommand, writes_markdown_csv_and_json) {
  EXPECT_THAT(run("base.json head.json --format md").output,
              AllOf(StartsWith("| verdict "), HasSubstr("`a/k:1`")));
  const std::string csv = run("base.json head.json --format csv").output;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_THAT(csv, HasSubstr("\na/k:1,real_time_ns,differs,"));
  const Json json = Json::parse(run("base.json head.json --format json").output);
  ASSERT_THAT(json["rows"], SizeIs(2));
  EXPECT_EQ(json["rows"][0]["verdict"], "differs");
  EXPECT_EQ(json["rows"][0]["n"], 10);
}

TEST_F(CompareCommand, takes_the_rows_and_figures_it_is_asked_for) {
  const Outcome filtered = run("base.json head.json --filter '^b' --format csv");
  EXPECT_EQ(std::count(filtered.output.begin(), filtered.output.end(), '\n'), 2);
  const Outcome two =
      run("--metric real_time_ns --metric cpu_time_ns base.json head.json --format csv");
  EXPECT_EQ(std::count(two.output.begin(), two.output.end(), '\n'), 5);

  const Outcome no_row = run("base.json head.json --filter none");
  EXPECT_EQ(no_row.code, 2);
  EXPECT_THAT(no_row.errors, HasSubstr("no row in common that has values of real_time_ns and "
                                       "matches 'none'"));
  EXPECT_EQ(run("base.json head.json --metric none").code, 2);
  EXPECT_EQ(run("base.json head.json --filter '('").code, 2);
}

TEST_F(CompareCommand, refuses_another_machine_unless_it_is_allowed) {
  Json other = document(120, 50);
  other["context"]["ipc_compare"]["machine"]["cpus"] = 4;
  write("other.json", other.dump());
  const Outcome refused = run("base.json other.json");
  EXPECT_EQ(refused.code, 3);
  EXPECT_EQ(refused.output, "");
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("different environments: cpus: 2 and 4;"),
                                    HasSubstr("--allow-other-machine")));
  const Outcome allowed = run("base.json other.json --allow-other-machine");
  EXPECT_EQ(allowed.code, 0) << allowed.errors;
  EXPECT_THAT(allowed.output, HasSubstr("the environments differ: cpus: 2 and 4"));
}

TEST_F(CompareCommand, reads_files_of_any_google_benchmark) {
  const std::string file = "'" + dialect_1_7.string() + "'";
  const Outcome outcome = run(file + " " + file);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("copy/4096"), HasSubstr("in_us/threads:2"),
                    HasSubstr("each file is one launch, and its repetitions are the values"),
                    HasSubstr("do not tell on which processor"), HasSubstr("no row could differ"),
                    HasSubstr("failed in benchmark-1.7.json: broken: no such file")));
  const Outcome mixed = run("base.json " + file);
  EXPECT_EQ(mixed.code, 2);
  EXPECT_THAT(mixed.errors, HasSubstr("benchmark-1.7.json is one launch and base.json a run"));
}

TEST_F(CompareCommand, ends_with_one_line_on_bad_input) {
  write("bad.json", "{\"context\": ");
  for (const char* arguments :
       {"base.json bad.json", "bad.json base.json", "base.json none.json", "base.json ."}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_THAT(outcome.errors, StartsWith("ipc-compare: ")) << arguments;
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << arguments;
  }
  for (const char* arguments :
       {"", "base.json", "base.json head.json base.json", "base.json head.json --alpha 2",
        "base.json head.json --format x", "base.json head.json --correct x"}) {
    EXPECT_EQ(run(arguments).code, 2) << arguments;
  }
}

}  // namespace
