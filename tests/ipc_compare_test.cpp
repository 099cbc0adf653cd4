// The program ipc-compare on a command line, with made-up benchmarks that do well, fail, or hang:
// its exit codes, its words, and what it leaves behind.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "results/measure/progress.hpp"
#include "results/measure/run.hpp"
#include "tests/command_line.hpp"
#include "tests/made_benchmark.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using command_line::Outcome;
using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

const fs::path program = fs::path(PROJECT_BINARY_DIR) / "results/ipc-compare";

// A stand-in for a benchmark binary: answers --benchmark_list_tests with its rows, and otherwise
// does what `body` says, with the functions `begin`, `row NAME` and `end` to write a report.
std::string script(const std::vector<std::string>& rows, const std::string& body) {
  std::string list;
  for (const std::string& row : rows) list += row + "\n";
  return benchmark_flags + fmt::format(R"(rows=$(grep -E -- "$filter" <<'ROWS'
{}ROWS
) || {{ echo "nothing matched" >&2; exit 2; }}
[ -z "$list" ] || {{ echo "$rows"; exit 0; }}
comma=
begin() {{ printf '{{\n  "context": {{"host_name": "secret", "num_cpus": 2}},\n  "benchmarks": [' >"$out"; }}
row() {{
  printf '      "name": "%s",\n' "$1"
  printf '%s\n    {{\n      "name": "%s",\n      "run_type": "iteration", "iterations": 1, "real_time": 10, "cpu_time": 10, "time_unit": "ns"%s\n    }}' "$comma" "$1" "$2" >>"$out"
  comma=,
}}
end() {{ printf '\n  ]\n}}\n' >>"$out"; }}
{})",
                                       list, body);
}

const std::string well = "begin; for each in $rows; do row $each; done; end\n";

class IpcCompare : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(bin);
    add("catalog", R"(#!/bin/sh
echo '{"scenarios": [{"name": "good"}, {"name": "other"}]}'
)");
    add("good", script({"good/k:1", "good/k:2"}, well));
    add("other", script({"other/k:1"}, well));
  }

  void add(const std::string& name, const std::string& text) const {
    command_line::add_program(bin / name, text);
  }

  // Runs a line of sh, in which $ipc_compare is the program and $bin the folder of benchmarks.
  [[nodiscard]] Outcome sh(const std::string& line) const {
    return command_line::sh(
        scratch, work(),
        fmt::format("bin='{}' ipc_compare='{}'; {}", bin.string(), program.string(), line));
  }
  [[nodiscard]] Outcome run(const std::string& more) const {
    return sh("\"$ipc_compare\" run --size smoke --bin \"$bin\" " + more);
  }

  // The folder in which the program runs.
  [[nodiscard]] fs::path work() const {
    fs::create_directories(scratch.path() / "work");
    return scratch.path() / "work";
  }
  [[nodiscard]] Json run_file() const { return Json::parse(read(work() / "run.json")); }
  [[nodiscard]] std::vector<std::string> measured() const {
    std::vector<std::string> names;
    const Json file = run_file();
    for (const Json& row : file["benchmarks"]) names.push_back(row["name"]);
    std::sort(names.begin(), names.end());
    return names;
  }

  // Whether the process goes on whose number is in the file "child", and which would for minutes:
  // one that was killed is gone as soon as it has a CPU to end on.
  [[nodiscard]] bool child_lives() const {
    const int pid = std::stoi(read(work() / "child"));
    for (int tries = 0; tries < 600; ++tries) {
      const std::string stat = read(fmt::format("/proc/{}/stat", pid));
      // An orphan is reaped by init.
      if (stat.empty() || stat.find(") Z ") != std::string::npos) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }

  Scratch scratch;
  fs::path bin = scratch.path() / "bin";
};

TEST_F(IpcCompare, run_writes_one_file_with_every_launch) {
  const Outcome outcome = run("--rounds 2 --seed 5 --out run.json");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("run.json"));
  EXPECT_THAT(outcome.errors, HasSubstr("seed 5"));
  EXPECT_THAT(outcome.errors, HasSubstr("round 2 of 2"));
  EXPECT_THAT(measured(), ElementsAre("good/k:1", "good/k:1", "good/k:2", "good/k:2", "other/k:1",
                                      "other/k:1"));
  const Json file = run_file();
  const Json& about = file["context"]["ipc_compare"];
  EXPECT_EQ(about["schema"], 1);
  EXPECT_EQ(about["seed"], 5);
  EXPECT_EQ(about["size"], "smoke");
  EXPECT_EQ(about["launches"]["good"], 2);
  EXPECT_EQ(about["catalog"]["scenarios"][0]["name"], "good");
  for (const char* part : {"machine", "build", "limits", "placement", "environment"}) {
    EXPECT_TRUE(about[part].is_object()) << part;
  }
  EXPECT_EQ(file["benchmarks"][0]["launch"], 0);
  EXPECT_THAT(read(work() / "run.json"), Not(HasSubstr("secret"))) << "a host has no name here";
  EXPECT_THAT(scratch.names("work"), ElementsAre("run.json")) << "nothing else is left";
}

TEST_F(IpcCompare, run_names_its_file_after_the_time) {
  EXPECT_EQ(run("").code, 0);
  const auto names = scratch.names("work/results/out");
  ASSERT_EQ(names.size(), 1U);
  EXPECT_THAT(names[0], testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{6}\\.json"));
}

TEST_F(IpcCompare, run_measures_what_the_filter_takes) {
  EXPECT_EQ(run("--filter 'good/k:2' --out run.json").code, 0);
  EXPECT_THAT(measured(), ElementsAre("good/k:2"));
}

TEST_F(IpcCompare, run_refuses_a_filter_that_takes_nothing) {
  const Outcome outcome = run("--filter nonsense");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("no row matches the filter 'nonsense'"));
  EXPECT_EQ(run("--filter '('").code, 2);
  EXPECT_THAT(scratch.names("work/results/out"), IsEmpty());
}

TEST_F(IpcCompare, run_checks_its_output_before_it_measures) {
  add("good", script({"good/k:1"}, "touch measured;" + well));
  std::ofstream(work() / "file") << "in the way";
  const Outcome outcome = run("--out file/run.json");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, HasSubstr("cannot create"));
  EXPECT_THAT(scratch.names("work"), ElementsAre("file"));
}

TEST_F(IpcCompare, run_lets_a_filter_end_where_a_name_ends) {
  add("good", script({"good/k:1/manual_time", "good/k:12/manual_time"}, well));
  EXPECT_EQ(run("--filter 'k:1$' --out run.json").code, 0);
  EXPECT_THAT(measured(), ElementsAre("good/k:1/manual_time", "other/k:1"));
  EXPECT_EQ(run("--filter '(other|good)/(k:12$|none)' --out run.json").code, 0);
  EXPECT_THAT(measured(), ElementsAre("good/k:12/manual_time"));
  EXPECT_EQ(run("--filter '-k:1$' --out run.json").code, 0);
  EXPECT_THAT(measured(), ElementsAre("good/k:12/manual_time"));
}

// A benchmark of four rows of which the second, whose name has characters that mean something
// in an expression, does `what`.
std::string breaks(const std::string& what) {
  return script({"good/k:1", "good/k:ring<a+b>.2", "good/k:3", "good/k:4"},
                "begin; for each in $rows; do case $each in *ring*) " + what +
                    ";; esac; row $each; done; end\n");
}

TEST_F(IpcCompare, run_goes_on_after_a_crash_in_the_same_round_and_leaves_the_row_out_later) {
  add("good", breaks("echo launch >>crashes; echo 'last words' >&2; kill -SEGV $$"));
  const Outcome outcome = run("--rounds 3 --out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors,
              HasSubstr("good was killed by SIGSEGV while measuring good/k:ring<a+b>.2"));
  EXPECT_THAT(outcome.errors, HasSubstr("| last words"));
  EXPECT_THAT(outcome.errors, HasSubstr("good/k:ring<a+b>.2 is left out from now on"));
  EXPECT_THAT(outcome.errors,
              HasSubstr("good --size=smoke --benchmark_filter='^(good/k:ring<a\\+b>\\.2)$'"));
  EXPECT_THAT(measured(), ElementsAre("good/k:1", "good/k:1", "good/k:1", "good/k:3", "good/k:3",
                                      "good/k:3", "good/k:4", "good/k:4", "good/k:4", "other/k:1",
                                      "other/k:1", "other/k:1"));
  EXPECT_EQ(read(work() / "crashes"), "launch\n") << "it crashed more than once";
  EXPECT_THAT(run_file()["context"]["ipc_compare"]["failures"].dump(), HasSubstr("SIGSEGV"));
}

// As the watchdog of the benchmarks ends a row that hangs; here it is the first.
TEST_F(IpcCompare, run_believes_a_benchmark_that_names_its_broken_row) {
  add("good", script({"good/k:1/manual_time", "good/k:2/manual_time"},
                     "begin; for each in $rows; do case $each in *:1/*) "
                     "echo 'broken row: good/k:1' >&2; exit 4 ;; esac; row $each; done; end\n"));
  const Outcome outcome = run("--rounds 2 --out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors,
              HasSubstr("good exited with code 4 while measuring good/k:1/manual_time"));
  EXPECT_THAT(measured(), ElementsAre("good/k:2/manual_time", "good/k:2/manual_time", "other/k:1",
                                      "other/k:1"));
}

// Otherwise a program that cannot even start would be started once for each row.
TEST_F(IpcCompare, run_does_not_launch_again_what_ends_before_its_first_row) {
  add("good", script({"good/k:1", "good/k:2", "good/k:3"}, "echo launch >>launches; exit 5"));
  EXPECT_EQ(run("--out run.json").code, 4);
  EXPECT_EQ(read(work() / "launches"), "launch\n");
  EXPECT_THAT(measured(), ElementsAre("other/k:1"));
}

TEST_F(IpcCompare, run_tells_of_rows_with_errors) {
  add("good", script({"good/k:1"},
                     R"(begin; row good/k:1 ', "error_occurred": true, "error_message": "lost one"'
end; exit 4)"));
  const Outcome outcome = run("--out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("good exited with code 4 at good/k:1: lost one"));
}

TEST_F(IpcCompare, run_ends_what_hangs_with_all_its_children) {
  add("good", breaks("trap '' TERM; sleep 600 & echo $! >child; while :; do sleep 1; done"));
  const Outcome outcome = run("--rounds 2 --row-timeout 10 --out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("killed while measuring good/k:ring<a+b>.2"));
  EXPECT_THAT(outcome.errors, HasSubstr("good/k:ring<a+b>.2 is left out from now on"));
  EXPECT_THAT(measured(), ElementsAre("good/k:1", "good/k:1", "good/k:3", "good/k:3", "good/k:4",
                                      "good/k:4", "other/k:1", "other/k:1"));
  EXPECT_FALSE(child_lives()) << "a child of the benchmark lives on";
}

TEST_F(IpcCompare, run_refuses_a_report_that_is_cut_off) {
  add("good", script({"good/k:1"}, "begin; printf '{ \"name\": ' >>\"$out\""));
  const Outcome outcome = run("--out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("good wrote a result that cannot be read: parse error"));
  EXPECT_THAT(measured(), ElementsAre("other/k:1"));
}

TEST_F(IpcCompare, run_tells_of_a_binary_that_is_missing) {
  fs::remove(bin / "other");
  Outcome outcome = run("--out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("other is missing"));
  EXPECT_THAT(measured(), ElementsAre("good/k:1", "good/k:2"));

  fs::remove(bin / "catalog");
  outcome = run("--out run.json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("there is no " + (bin / "catalog").string()));
}

TEST_F(IpcCompare, run_tells_of_pools_that_are_absent_and_does_not_fail) {
  add("catalog", R"(#!/bin/sh
echo '{"scenarios": [{"name": "good"}, {"name": "other"}], "other_pools":
       [{"name": "there"}, {"name": "some_pool", "absent": "not installed"}]}'
)");
  const Outcome outcome = run("--out run.json");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("some_pool is absent: not installed"));
  EXPECT_THAT(outcome.errors, Not(HasSubstr("there is absent")));
}

// INT is what Ctrl-C sends, TERM what a supervisor does.
TEST_F(IpcCompare, run_stops_at_once_and_keeps_what_was_finished) {
  add("good",
      script({"good/k:1", "good/k:2"}, "begin; row good/k:1; sleep 600 & echo $! >child; wait"));
  fs::remove(bin / "other");
  for (const char* signal : {"INT", "TERM"}) {
    const Outcome outcome = sh(
        "rm -f child run.json; \"$ipc_compare\" run --size smoke --bin \"$bin\" --out run.json & "
        "while [ ! -s child ]; do sleep 0.02; done; kill -" +
        std::string(signal) + " $!; wait $!");
    EXPECT_EQ(outcome.code, 130) << signal;
    EXPECT_THAT(outcome.output, HasSubstr("interrupted; what was finished is in run.json"));
    EXPECT_THAT(measured(), ElementsAre("good/k:1"));
    EXPECT_EQ(run_file()["context"]["ipc_compare"]["interrupted"], true);
    EXPECT_FALSE(child_lives()) << "a child of the benchmark lives on";
    EXPECT_THAT(scratch.names("work"), ElementsAre("child", "run.json"));
  }
}

TEST_F(IpcCompare, publish_and_summary_take_what_run_wrote) {
  ASSERT_EQ(run("--rounds 3 --out run.json").code, 0);
  EXPECT_EQ(sh("\"$ipc_compare\" publish run.json --out tables").code, 0);
  EXPECT_THAT(scratch.names("work/tables"), IsSupersetOf({std::string("README.md")}));
  EXPECT_EQ(sh("\"$ipc_compare\" summary run.json").code, 0);
}

TEST_F(IpcCompare, publish_refuses_bad_input_and_bad_output) {
  std::ofstream(work() / "bad.json") << "{\"context\": ";
  Outcome outcome = sh("\"$ipc_compare\" publish bad.json");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("ipc-compare: bad.json: parse error at line 1"));
  EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1);

  ASSERT_EQ(run("--out run.json").code, 0);
  outcome = sh("\"$ipc_compare\" publish run.json --out bad.json/tables");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, HasSubstr("bad.json/tables"));
}

TEST_F(IpcCompare, usage_is_code_2) {
  for (const char* arguments : {"", "nonsense", "run --size huge", "run --rounds 0", "publish",
                                "publish none.json", "run --quick --full"}) {
    EXPECT_EQ(sh(std::string("\"$ipc_compare\" ") + arguments).code, 2) << arguments;
  }
  EXPECT_EQ(sh("\"$ipc_compare\" --help").code, 0);
}

TEST(Rounds, are_as_many_as_fit_and_never_fewer_than_are_done) {
  using std::chrono::seconds;
  EXPECT_EQ(results::rounds_within(seconds(180), 5, 1, seconds(30)), 5);
  EXPECT_EQ(results::rounds_within(seconds(180), 5, 2, seconds(90)), 4);
  EXPECT_EQ(results::rounds_within(seconds(180), 5, 1, seconds(100)), 1);
  EXPECT_EQ(results::rounds_within(seconds(180), 5, 3, seconds(600)), 3);
  EXPECT_EQ(results::rounds_within(seconds(180), 2, 1, seconds(600)), 1);
}

TEST(Bar, is_one_line_with_the_share_and_the_time_left) {
  const results::Step step{.share = 0.5, .what = "round 1 of 5", .left = std::chrono::seconds(75)};
  EXPECT_EQ(results::bar(step, 80), "[############............]  50 %     1:15 left  round 1 of 5");
  EXPECT_EQ(results::bar(step, 30).size(), 30U);
  EXPECT_THAT(results::bar({.share = 0, .what = "", .left = std::chrono::seconds(-1)}, 80),
              HasSubstr("? left"));
  EXPECT_EQ(results::clock_text(std::chrono::seconds(3661)), "1:01:01");
}

TEST_F(IpcCompare, machine_prints_a_name_for_a_folder) {
  const Outcome outcome = sh("\"$ipc_compare\" machine");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.output, testing::MatchesRegex("[a-z0-9-]+cpu[a-z0-9-]*\n"));
}

}  // namespace
