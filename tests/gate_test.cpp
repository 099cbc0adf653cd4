// `ipc-compare gate` and `calibrate` on a command line, with made-up benchmarks that are slower,
// gone, or broken: exit codes, words and files.
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/command_line.hpp"
#include "tests/made_benchmark.hpp"

namespace {

namespace fs = std::filesystem;
using command_line::Outcome;
using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const fs::path program = fs::path(PROJECT_BINARY_DIR) / "results/ipc-compare";
const fs::path subject = fs::path(PROJECT_BINARY_DIR) / "results/self-test-subject";

class Gate : public testing::Test {
 protected:
  const std::string calm = "discarded_share_max = 1\n";

  void SetUp() override {
    make("base", made_benchmark());
    make("head", made_benchmark());
    // What is measured here is made up, and other work on the machine does not matter.
    write("calm.toml", calm);
  }
  void make(const std::string& side, const std::string& text) const {
    command_line::add_program(scratch.path() / side / "made", text);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(scratch.path() / name) << text;
  }
  [[nodiscard]] Outcome sh(const std::string& line) const {
    return command_line::sh(scratch, scratch.path(), line);
  }
  [[nodiscard]] Outcome gate(const std::string& more = "") const {
    return sh(fmt::format("'{}' gate --base base --head head --seed 4 {}{}", program.string(), more,
                          more.find("--policy") == more.npos ? " --policy calm.toml" : ""));
  }
  [[nodiscard]] bool launched() const { return fs::exists(scratch.path() / "base/made.launches"); }

  Scratch scratch;
};

TEST_F(Gate, of_a_slower_row_is_red) {
  make("head", made_benchmark("2 1.1"));
  const Outcome outcome = gate("--markdown out.md --junit out.xml --json out.json --github");
  EXPECT_EQ(outcome.code, 1) << outcome.output << outcome.errors;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("made/k:2"), HasSubstr("regression"),
                                    HasSubstr("::error"), HasSubstr("confirm: 1 suspect")));
  EXPECT_THAT(read(scratch.path() / "out.md"), HasSubstr("made/k:2"));
  EXPECT_THAT(read(scratch.path() / "out.xml"), HasSubstr("<failure"));
  const Json verdict = Json::parse(read(scratch.path() / "out.json"));
  for (const Json& row : verdict["rows"]) {
    const bool slowed = row["row"] == "made/k:2";
    EXPECT_EQ(row["verdict"] == "regression", slowed) << row;
    EXPECT_NEAR(row["slowdown"].get<double>(), slowed ? 1.1 : 1.0, 0.01);
  }
}

TEST_F(Gate, of_equal_builds_passes) {
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 0) << outcome.output << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("3 unchanged"));
}

TEST_F(Gate, of_a_faster_row_passes_and_tells) {
  make("head", made_benchmark("1 0.8"));
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("improvement"));
}

TEST_F(Gate, of_a_row_that_is_gone_says_so) {
  make("head", made_benchmark("", 3));
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("made/k:3"), HasSubstr("missing")));
}

TEST_F(Gate, of_a_row_that_crashes_says_so_and_judges_the_others) {
  make("head", made_benchmark("", 0, 3));
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("killed by SIGSEGV"), HasSubstr("2 unchanged")));
}

TEST_F(Gate, a_regression_counts_more_than_a_crash) {
  make("head", made_benchmark("2 1.2", 0, 3));
  EXPECT_EQ(gate().code, 1);
}

TEST_F(Gate, a_row_that_the_policy_declares_must_be_there) {
  write("policy.toml", calm + "rows = ['made/k:1$', 'made/k:7$']\n");
  const Outcome outcome = gate("--policy policy.toml");
  EXPECT_EQ(outcome.code, 4) << outcome.output << outcome.errors;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("made/k:7"), Not(HasSubstr("made/k:2"))));
}

TEST_F(Gate, a_binary_of_one_side_only_has_failed) {
  make("base", made_benchmark());
  command_line::add_program(scratch.path() / "base/gone", made_benchmark());
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("gone"), HasSubstr("there is no program")));
}

TEST_F(Gate, what_is_no_benchmark_of_either_side_is_left_out_by_name) {
  for (const char* side : {"base", "head"})
    command_line::add_program(scratch.path() / side / "tool", "#!/bin/sh\nexit 3\n");
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("tool is no benchmark of either build"));
  EXPECT_EQ(gate("--binary tool --binary made").code, 4) << "when it is asked for, it has to work";
}

TEST_F(Gate, a_waiver_holds_up_to_its_ceiling_and_its_day) {
  make("head", made_benchmark("2 1.1"));
  const std::string waiver =
      "[[waivers]]\nrow = 'made/k:2'\nmetric = 'real_time_ns'\nceiling = '+{} %'\nexpires = {}\n"
      "reason = 'checks its input'\nissue = 'https://example.org/1'\n";
  write("waivers.toml", fmt::format(fmt::runtime(waiver), 20, "2999-01-01"));
  const Outcome waived = gate("--waivers waivers.toml");
  EXPECT_EQ(waived.code, 0) << waived.output << waived.errors;
  EXPECT_THAT(waived.output, HasSubstr("checks its input"));
  write("waivers.toml", fmt::format(fmt::runtime(waiver), 5, "2999-01-01"));
  EXPECT_EQ(gate("--waivers waivers.toml").code, 1);
  write("waivers.toml", fmt::format(fmt::runtime(waiver), 20, "2020-01-01"));
  EXPECT_EQ(gate("--waivers waivers.toml").code, 1);
}

TEST_F(Gate, floors_of_another_machine_are_refused) {
  write("calibration.json",
        R"({"ipc_compare_calibration": 1, "environment": {"cpu": "another one"}, "rows": {}})");
  const Outcome outcome = gate("--calibration calibration.json");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors,
              AllOf(HasSubstr("cpu: another one"), HasSubstr("--allow-other-machine")));
  EXPECT_FALSE(launched());
  EXPECT_EQ(gate("--calibration calibration.json --allow-other-machine").code, 0);
}

TEST_F(Gate, damaged_floors_are_refused) {
  for (
      const char* text :
      {"", "{", "[]", R"({"ipc_compare_calibration": 2})",
       R"({"ipc_compare_calibration": 1, "environment": {}})",
       R"({"ipc_compare_calibration": 1, "environment": {}, "rows": {"a": {"b": {"floor": -1, "pair_sigma": 1, "pairs": 1}}}})"}) {
    write("calibration.json", text);
    const Outcome outcome = gate("--calibration calibration.json --allow-other-machine");
    EXPECT_EQ(outcome.code, 2) << text;
    EXPECT_THAT(outcome.errors, HasSubstr("calibration.json")) << text;
  }
}

TEST_F(Gate, a_budget_that_runs_out_is_no_pass) {
  write("policy.toml", calm + "budget_minutes = 0.01\nscreen_pairs = 1000\n");
  const Outcome outcome = gate("--policy policy.toml");
  EXPECT_EQ(outcome.code, 3) << outcome.output << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("ran out"));
}

TEST_F(Gate, one_binary_on_both_sides_is_identical_and_is_not_measured) {
  for (const char* side : {"base", "head"}) {
    fs::remove_all(scratch.path() / side);
    fs::create_directory(scratch.path() / side);
    fs::copy_file(subject, scratch.path() / side / "subject");
  }
  const Outcome outcome = gate();
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("6 identical"), Not(HasSubstr("screen:"))));
}

TEST_F(Gate, bad_input_is_one_clear_line) {
  const auto refused = [&](const std::string& line, const std::string& word) {
    const Outcome outcome = sh(fmt::format("'{}' gate {}", program.string(), line));
    EXPECT_EQ(outcome.code, 2) << line << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr(word)) << line;
    EXPECT_THAT(outcome.output, IsEmpty());
  };
  refused("--base base", "--head");
  refused("--base nowhere --head head", "nowhere: is not there");
  refused("--base base --head head/made", "two folders, or two binaries");
  refused("--base base --head head --filter wings", "rows asked for");
  refused("--base base --head head --filter '('", "no regular expression");
  refused("--base base --head head --budget 0", "budget");
  EXPECT_EQ(gate("--json /proc/nowhere/out.json").code, 5);
  EXPECT_FALSE(launched()) << "before anything is measured";
}

TEST_F(Gate, is_interrupted_without_a_verdict) {
  write("long.toml", calm + "screen_pairs = 1000\n");
  const Outcome outcome = sh(
      fmt::format("'{}' gate --base base --head head --policy long.toml & "
                  "while [ ! -s base/made.launches ]; do sleep 0.02; done; kill -INT $!; wait $!",
                  program.string()));
  EXPECT_EQ(outcome.code, 130);
  EXPECT_THAT(outcome.errors, HasSubstr("interrupted"));
}

TEST_F(Gate, calibrate_finds_the_noise_and_the_gate_takes_it) {
  const Outcome calibrated = sh(fmt::format(
      "'{}' calibrate --bin base --pairs 24 --seed 1 --policy calm.toml --out floors.json",
      program.string()));
  EXPECT_EQ(calibrated.code, 0) << calibrated.errors;
  const Json floors = Json::parse(read(scratch.path() / "floors.json"));
  const Json& row = floors["rows"]["made/k:1"]["real_time_ns"];
  // The mean of two differences of two times with a deviation of 0.41 % each.
  EXPECT_NEAR(row["pair_sigma"].get<double>(), 0.0041, 0.003);
  EXPECT_GT(row["floor"].get<double>(), 0);
  EXPECT_LT(row["floor"].get<double>(), 0.01);
  EXPECT_EQ(row["pairs"], 24);
  EXPECT_EQ(gate("--calibration floors.json").code, 0);
}

// Real measurements: what is planted is found, and nothing else is.
TEST_F(Gate, proves_itself) {
  // Of a hundred gates of equal builds one may be red: here of ten thousand. The five end in time.
  write("short.toml", "min_time_s = 0.01\nalpha = 0.0001\nbudget_minutes = 3\n");
  const Outcome outcome =
      sh(fmt::format("'{}' gate --self-test --seed 1 --policy short.toml", program.string()));
  if (outcome.code == 3) GTEST_SKIP() << "too much else goes on here:\n" << outcome.output;
  EXPECT_EQ(outcome.code, 0) << outcome.output << outcome.errors;
  EXPECT_THAT(outcome.output, Not(HasSubstr("FAILED")));
  for (const char* trial : {"10 % slower: exit 1", "the same: exit 0", "lacks a row: exit 4",
                            "crashes: exit 4", "another machine's: exit 3"}) {
    EXPECT_THAT(outcome.output, HasSubstr(trial));
  }
}

}  // namespace
