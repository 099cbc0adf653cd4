// What a project demands of its gate: what is read from policy.toml and waivers.toml, what is
// refused with which words, and which waivers hold.
#include "results/gate/policy.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/failure.hpp"
#include "results/gate/waivers.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using results::Comparison;
using results::Date;
using results::Failure;
using results::Policy;
using results::Verdict;
using results::Waiver;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PolicyFile : public testing::Test {
 protected:
  [[nodiscard]] fs::path write(const std::string& text) const {
    const fs::path file = scratch.path() / "gate.toml";
    std::ofstream(file) << text;
    return file;
  }

  // What reading ends with; "" when it does not fail.
  template <class Read>
  [[nodiscard]] std::string refusal(Read read, const std::string& text) const {
    try {
      read(write(text));
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.exit(), results::Exit::usage);
      EXPECT_THAT(failure.what(), Not(HasSubstr("\n")));
      return failure.what();
    }
    return "";
  }
  [[nodiscard]] std::string refused_policy(const std::string& text) const {
    return refusal(results::read_policy, text);
  }
  [[nodiscard]] std::string refused_waiver(const std::string& text) const {
    return refusal(results::read_waivers, text);
  }

  Scratch scratch;
};

TEST_F(PolicyFile, tells_every_setting) {
  const Policy policy = results::read_policy(write(R"(
rows = ["^round_trip/", "bytes:64$"]
metrics = ["latency_ns_p99", "messages_per_second"]
floor_percent = 3
floors = [{ rows = "^pool_", percent = 5.5 }, { rows = "pool", percent = 50 }]
alpha = 0.005
screen_pairs = 10
screen_alpha = 0.05
confirm_pairs = 20
budget_minutes = 1.5
min_time_s = 0.2
repetitions = 7
inconclusive = "fail"
arguments = ["--size=quick", "-v"]
)"));
  EXPECT_TRUE(policy.takes("round_trip/channel:pipe/bytes:8"));
  EXPECT_TRUE(policy.takes("one_way/bytes:64"));
  EXPECT_FALSE(policy.takes("one_way/bytes:640"));
  EXPECT_THAT(policy.metrics, ElementsAre("latency_ns_p99", "messages_per_second"));
  EXPECT_NEAR(policy.floor("round_trip"), std::log(1.03), 1e-12);
  EXPECT_NEAR(policy.floor("pool_map"), std::log(1.055), 1e-12) << "the first that finds the row";
  EXPECT_NEAR(policy.floor("a_pool"), std::log(1.5), 1e-12);
  EXPECT_EQ(policy.alpha, 0.005);
  EXPECT_EQ(policy.screen_pairs, 10U);
  EXPECT_EQ(policy.screen_alpha, 0.05);
  EXPECT_EQ(policy.confirm_pairs, 20U);
  EXPECT_EQ(policy.budget_minutes, 1.5);
  EXPECT_EQ(policy.min_time_s, 0.2);
  EXPECT_EQ(policy.repetitions, 7);
  EXPECT_TRUE(policy.inconclusive_fails);
  EXPECT_THAT(policy.arguments, ElementsAre("--size=quick", "-v"));
}

TEST_F(PolicyFile, keeps_the_default_of_what_it_does_not_say) {
  const Policy policy = results::read_policy(write("alpha = 0.02\n"));
  EXPECT_EQ(policy.alpha, 0.02);
  EXPECT_EQ(policy.screen_pairs, Policy{}.screen_pairs);
  EXPECT_EQ(policy.metrics, Policy{}.metrics);
  EXPECT_TRUE(policy.takes("any/row")) << "without rows, all are gated";
  EXPECT_NEAR(policy.floor("any/row"), std::log(1.02), 1e-12);
}

TEST_F(PolicyFile, is_refused_with_line_key_value_and_limit) {
  EXPECT_THAT(refused_policy("# a comment\nfloor_precent = 2\n"),
              AllOf(HasSubstr("gate.toml:2: floor_precent: is unknown"),
                    HasSubstr("known are rows, metrics, floor_percent")));
  EXPECT_THAT(refused_policy("alpha = 0.7"),
              HasSubstr("gate.toml:1: alpha: is 0.7, must be from 1e-06 to 0.5"));
  EXPECT_THAT(refused_policy("alpha = nan"), HasSubstr("alpha: is nan, must be from"));
  EXPECT_THAT(refused_policy("budget_minutes = inf"), HasSubstr("budget_minutes: is inf"));
  EXPECT_THAT(refused_policy("floor_percent = -1"), HasSubstr("floor_percent: is -1, must be"));
  EXPECT_THAT(refused_policy("alpha = \"0.1\""), HasSubstr("must be a number"));
  EXPECT_THAT(refused_policy("repetitions = 2.5"), HasSubstr("is 2.5, must be a whole number"));
  EXPECT_THAT(refused_policy("screen_pairs = 0"), HasSubstr("must be from 1 to 1000"));
  EXPECT_THAT(refused_policy("rows = \"a\""), HasSubstr("must be a list"));
  EXPECT_THAT(refused_policy("rows = [\"a\",\n  3]"), HasSubstr("gate.toml:2: rows: is 3, must"));
  EXPECT_THAT(refused_policy("rows = [\"(\"]"), HasSubstr("which is no expression: "));
  EXPECT_THAT(refused_policy("rows = [\"\"]"), HasSubstr("must not be empty"));
  EXPECT_THAT(refused_policy("metrics = []"), HasSubstr("metrics: is [], must name one"));
  EXPECT_THAT(refused_policy("floors = [3]"), HasSubstr("floors: is 3, must be a table"));
  EXPECT_THAT(refused_policy("\n[[floors]]\nrows = \"a\"\n"),
              HasSubstr("gate.toml:2: percent: is missing"));
  EXPECT_THAT(refused_policy("[[floors]]\nrows = \"a\"\npercent = 3\nfloor = 1"),
              HasSubstr("gate.toml:4: floor: is unknown; known are rows, percent"));
  EXPECT_THAT(refused_policy("inconclusive = \"maybe\""),
              HasSubstr("must be \"pass\" or \"fail\""));
}

// A level that so few pairs never reach would make a gate that is always green.
TEST_F(PolicyFile, is_refused_when_its_gate_could_never_be_red) {
  EXPECT_THAT(refused_policy("screen_pairs = 2"),
              HasSubstr("screen_pairs: is 2, but screen_alpha 0.2 needs screen_pairs of at least "
                        "3, not 2"));
  EXPECT_EQ(refused_policy("screen_pairs = 3"), "");
  EXPECT_THAT(refused_policy("screen_alpha = 1e-4"),
              HasSubstr("screen_alpha: is 0.0001, but screen_alpha 0.0001 needs screen_pairs of "
                        "at least 14, not 8"));
  EXPECT_THAT(refused_policy("confirm_pairs = 6"), HasSubstr("needs confirm_pairs of at least 7"));
}

TEST_F(PolicyFile, that_is_no_toml_is_refused) {
  EXPECT_THAT(refused_policy("alpha = 0.1\nalpha = 0.2\n"), HasSubstr("gate.toml:2: "));
  EXPECT_THAT(refused_policy("alpha ="), HasSubstr("gate.toml:1: "));
  EXPECT_THAT(refused_policy("{\"alpha\": 0.1}"), HasSubstr("gate.toml:1: "));
  EXPECT_THAT(refused_policy(""), HasSubstr("is empty"));
  EXPECT_THAT(refused_policy(std::string(3000, '[')), HasSubstr("gate.toml:1: "));
  EXPECT_THROW(results::read_policy(scratch.path() / "none.toml"), Failure);
}

constexpr const char* one_waiver = R"(
[[waivers]]
row = "^round_trip/channel:pipe/"
metric = "real_time_ns"
ceiling = "+15 %"
expires = 2026-12-31
reason = "checks its input"
issue = "https://example.org/12"
)";

TEST_F(PolicyFile, of_waivers_is_read_or_refused) {
  const auto waivers = results::read_waivers(write(one_waiver));
  ASSERT_EQ(waivers.size(), 1U);
  EXPECT_EQ(waivers[0].text(),
            "real_time_ns of ^round_trip/channel:pipe/, up to +15.0 % until 2026-12-31");
  EXPECT_NEAR(waivers[0].ceiling, std::log(1.15), 1e-12);

  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = one_waiver;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_THAT(refused_waiver(with("reason = \"checks its input\"\n", "")),
              HasSubstr("gate.toml:2: reason: is missing"));
  EXPECT_THAT(refused_waiver(with("2026-12-31", "\"2026-12-31\"")),
              HasSubstr("gate.toml:6: expires: is '2026-12-31', must be a date"));
  EXPECT_THAT(refused_waiver(with("2026-12-31", "2026-02-30")), HasSubstr("gate.toml:6: "));
  for (const char* ceiling : {"15", "\"15\"", "\"-15 %\"", "\"+0 %\"", "\"nan %\"", "\"+15 % \"",
                              "\"%\"", "\"1e9 %\"", "\"++1 %\""}) {
    EXPECT_THAT(refused_waiver(with("\"+15 %\"", ceiling)), HasSubstr("gate.toml:5: ceiling: is "))
        << ceiling;
  }
  EXPECT_THAT(refused_waiver(with("[[waivers]]", "[[waiver]]")), HasSubstr("waiver: is unknown"));
  EXPECT_THAT(refused_waiver(with("\"^round", "\"(^round")), HasSubstr("is no expression"));
}

Comparison regression(const std::string& row, double percent) {
  Comparison slower;
  slower.row = row;
  slower.metric = "real_time_ns";
  slower.verdict = Verdict::regression;
  slower.effect = std::log1p(percent / 100);
  return slower;
}

class Waivers : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> apply(Date today) {
    return results::apply({{.row = results::RowExpression("^a/"),
                            .metric = "real_time_ns",
                            .ceiling = std::log(1.15),
                            .expires = Date(std::chrono::year(2026) / 12 / 31),
                            .reason = "known",
                            .issue = "#12"}},
                          today, rows);
  }
  static constexpr Date in_time = std::chrono::year(2026) / 12 / 31;
  static constexpr Date late = std::chrono::year(2027) / 1 / 1;

  std::vector<Comparison> rows = {regression("a/k:1", 14), regression("b/k:1", 14)};
};

TEST_F(Waivers, hold_for_what_they_name_until_their_day) {
  EXPECT_THAT(apply(in_time), IsEmpty());
  EXPECT_EQ(rows[0].waiver, "known (#12)");
  EXPECT_EQ(rows[1].waiver, "") << "another row";
}

TEST_F(Waivers, that_have_expired_do_not_hold_and_are_told) {
  EXPECT_THAT(apply(late), ElementsAre(HasSubstr("until 2026-12-31 has expired")));
  EXPECT_EQ(rows[0].waiver, "");
}

TEST_F(Waivers, that_are_exceeded_do_not_hold_and_are_told) {
  rows[0] = regression("a/k:1", 16);
  EXPECT_THAT(apply(in_time), ElementsAre(HasSubstr("does not hold: a/k:1 is +16.0 % slower")));
  EXPECT_EQ(rows[0].waiver, "");
}

TEST_F(Waivers, that_find_nothing_are_told) {
  rows[0].metric = "latency_ns_p99";
  EXPECT_THAT(apply(in_time), ElementsAre(HasSubstr("finds no row")));
  EXPECT_EQ(rows[0].waiver, "");
}

TEST_F(Waivers, do_not_touch_what_is_no_regression) {
  rows[0].verdict = Verdict::unchanged;
  EXPECT_THAT(apply(in_time), IsEmpty());
  EXPECT_EQ(rows[0].waiver, "");
}

}  // namespace
