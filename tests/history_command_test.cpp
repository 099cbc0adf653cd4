// The commands on a history as a user gives them, one after the other.
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/history_fixture.hpp"

namespace {

using history::sh;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Forty runs, of which the last twenty took 30 % longer; they vary by little.
void write_a_step(const std::filesystem::path& folder) {
  for (int run = 0; run < 40; ++run) {
    const double level = run < 20 ? 100 : 130;
    const double noise = 0.01 * ((run * 7) % 11 - 5);
    history::write(folder / fmt::format("{:02}.json", run),
                   history::run_file(history::minute(run), {{"good/k:1", level + noise}}));
  }
}

TEST(HistoryCommand, a_scan_opens_an_alert_that_is_accepted_by_its_number) {
  const Scratch scratch;
  const auto run = [&](const std::string& words) {
    return sh(scratch.path(), "$history " + words + " --store sqlite:h.db");
  };
  write_a_step(scratch.path());
  ASSERT_EQ(run("ingest *.json").code, 0);

  const auto first = run("scan");
  EXPECT_EQ(first.code, 0) << "a finding is no failure: " << first.errors;
  EXPECT_THAT(first.output, AllOf(HasSubstr("over 40 runs"), HasSubstr("1 alerts opened")));
  EXPECT_THAT(run("scan").output, HasSubstr("0 alerts opened"));
  EXPECT_THAT(run("alerts list").output,
              AllOf(HasSubstr("open"), HasSubstr("+30.0 %"), HasSubstr("good/k:1 real_time_ns")));

  EXPECT_EQ(
      run("alerts accept 1 --reason 'it checks its input' --ceiling 40 --expires 2999-12-31").code,
      0);
  EXPECT_THAT(run("scan").output, AllOf(HasSubstr("0 opened again"), HasSubstr("1 as they were")));
  EXPECT_THAT(run("alerts list").output, AllOf(HasSubstr("accepted"), HasSubstr("up to +40.0 %"),
                                               HasSubstr("it checks its input")));
  EXPECT_EQ(run("alerts accept 1 --reason so --ceiling 10").code, 0);
  EXPECT_THAT(run("scan").output, HasSubstr("1 opened again")) << "30 % is above the ceiling";
}

TEST(HistoryCommand, refuses_words_that_it_does_not_know) {
  const Scratch scratch;
  const auto code = [&](const std::string& words) {
    return sh(scratch.path(), "$history " + words + " --store sqlite:h.db").code;
  };
  history::write(scratch.path() / "run.json", history::run_file(history::minute(0), {{"a", 1}}));
  ASSERT_EQ(code("ingest run.json"), 0);
  EXPECT_EQ(code("alerts accept 1 --reason x --expires 2026-02-30"), 2);
  EXPECT_EQ(code("alerts accept 1 --reason x --expires soon"), 2);
  EXPECT_EQ(code("alerts accept 1"), 2) << "without a reason";
  EXPECT_EQ(code("alerts close 1 --reason x"), 2) << "there is no alert";
  EXPECT_EQ(code("scan --rows '('"), 2);
  EXPECT_EQ(code("series none"), 2);
  EXPECT_EQ(code("alias none some"), 2);
  EXPECT_EQ(code("prune --keep -1"), 2);
  EXPECT_EQ(code(""), 2);
  EXPECT_EQ(code("series a"), 0);
}

}  // namespace
