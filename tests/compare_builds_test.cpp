// `ipc-compare compare --base DIR --head DIR` on a command line, with made-up benchmarks.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "results/compare/builds.hpp"
#include "tests/command_line.hpp"
#include "tests/made_benchmark.hpp"

namespace {

using command_line::Outcome;
using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CompareBuilds : public testing::Test {
 protected:
  void SetUp() override {
    make("base", made_benchmark());
    make("head", made_benchmark());
  }
  void make(const std::string& side, const std::string& text) const {
    command_line::add_program(scratch.path() / side / "made", text);
  }
  [[nodiscard]] Outcome compare(const std::string& more) const {
    return command_line::sh(
        scratch, scratch.path(),
        fmt::format("'{}/results/ipc-compare' compare {}", PROJECT_BINARY_DIR, more));
  }

  const std::string builds = "--base base --head head --seed 2 --blocks 12 --discarded-share 1 ";
  Scratch scratch;
};

TEST_F(CompareBuilds, tells_what_is_slower_faster_and_the_same_and_judges_nobody) {
  make("head", made_benchmark("2 1.1"));
  const Outcome outcome = compare(builds + "--format json");
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const Json rows = Json::parse(outcome.output)["rows"];
  ASSERT_EQ(rows.size(), 3U);
  for (const Json& row : rows) {
    const bool slowed = row["row"] == "made/k:2";
    EXPECT_EQ(row["verdict"], slowed ? "regression" : "unchanged") << row;
    EXPECT_EQ(row["n"], 12);
  }
  make("head", made_benchmark("2 0.8"));
  EXPECT_THAT(compare(builds).output, HasSubstr("improvement"));
}

TEST_F(CompareBuilds, counts_launches_in_blocks_of_four) {
  ASSERT_EQ(compare(builds + "--filter k:1").code, 0);
  int launches = 0;
  for (const char* side : {"base", "head"}) {
    std::ifstream rows(scratch.path() / side / "made.launches");
    for (std::string row; std::getline(rows, row); ++launches) EXPECT_EQ(row, "made/k:1");
  }
  EXPECT_EQ(launches, 4 * 12) << "a disturbed block was measured again";
}

TEST_F(CompareBuilds, lists_what_is_missing_or_broken_beside_the_rest) {
  make("head", made_benchmark("", 1, 2));
  const Outcome outcome = compare(builds);
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("missing"), HasSubstr("killed by SIGSEGV"), HasSubstr("unchanged")));
}

TEST_F(CompareBuilds, needs_both_sides_and_no_files) {
  for (const char* line : {"--base base", "--head head", "base.json --base base --head head", ""}) {
    EXPECT_EQ(compare(line).code, 2) << line;
  }
}

TEST(SameProgram, has_the_same_bytes_and_libraries_that_are_known) {
  using std::chrono::milliseconds;
  const Scratch scratch;
  const std::filesystem::path program = PROJECT_BINARY_DIR "/results/ipc-compare";
  const auto copy = scratch.path() / "copy";
  std::filesystem::copy_file(program, copy);
  results::StopSignals stop;
  EXPECT_TRUE(results::same_program(program, copy, stop, milliseconds(60'000)));
  EXPECT_FALSE(results::same_program(program, copy, stop, milliseconds(-1))) << "nobody listened";
  std::ofstream(copy, std::ios::app) << '\0';
  EXPECT_FALSE(results::same_program(program, copy, stop, milliseconds(60'000)));
}

}  // namespace
