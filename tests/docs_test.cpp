// The documentation is true: each command that it shows works, each output that it shows is what
// comes out, and its example builds.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/gate/policy.hpp"
#include "results/gate/waivers.hpp"
#include "results/name.hpp"
#include "tests/command_line.hpp"
#include "tests/documents.hpp"

namespace {

namespace fs = std::filesystem;
using command_line::Outcome;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const fs::path project = PROJECT_SOURCE_DIR;

// Runs a command line as a reader would, in the project's folder. The output is that of both
// streams.
Outcome shell(const std::string& command) {
  return command_line::sh("cd '" + project.string() + "' && { " + command + "\n} 2>&1 </dev/null");
}

// What readers have in build/release is wherever this test was built.
std::string with_this_build(const std::string& command) {
  return std::regex_replace(command, std::regex("build/release/"), PROJECT_BINARY_DIR "/");
}

std::string joined(const documents::Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// Each line of a `sh` block in a document, without its comment.
std::vector<std::string> commands(const fs::path& document) {
  std::vector<std::string> all;
  for (const auto& block : documents::blocks(document, "sh")) {
    for (const auto& line : block) {
      all.push_back(std::regex_replace(line, std::regex(" +# .*$"), ""));
    }
  }
  return all;
}

// Checks that the program knows the command and each of its options.
Outcome options_exist(const std::string& command) {
  const std::string verb = command.substr(0, command.find(" -"));
  Outcome finished = shell(with_this_build("build/release/results/" + verb + " --help"));
  const std::regex option("--[a-z-]+");
  for (std::sregex_iterator match(command.begin(), command.end(), option), end; match != end;
       ++match) {
    EXPECT_THAT(finished.output, HasSubstr(match->str()));
  }
  return finished;
}

// Checks a command without doing again what runs for minutes: the scripts parse every argument
// before --help is obeyed, presets are looked up, programs of the build really run.
void check_command(const std::string& command) {
  SCOPED_TRACE(command);
  Outcome finished{};
  if (command.starts_with("bench/run") || command.starts_with("tests/run")) {
    finished = shell(command + " --help");
    EXPECT_THAT(finished.output, HasSubstr("usage: " + command.substr(0, 9)));
  } else if (command == ".ci/run") {
    finished = shell("bash -n .ci/run && test -x .ci/run");
  } else if (command.starts_with("build/release/")) {
    finished = shell(with_this_build(command));
    EXPECT_THAT(finished.output, Not(IsEmpty()));
  } else if (command.starts_with("ipc-compare ")) {
    finished = options_exist(command);
  } else if (command.starts_with("find ") || command.starts_with("run-clang-tidy ")) {
    finished = shell("bash -n -c \"" + command + "\"");  // the tools need not be installed
  } else {
    FAIL() << "this test does not know how to check the command";
  }
  EXPECT_EQ(finished.code, 0) << finished.output;
}

TEST(Readme, commands_work) {
  const auto all = commands(project / "README.md");
  ASSERT_THAT(all, ::testing::Contains("bench/run"));
  ASSERT_THAT(all, ::testing::Contains("tests/run"));
  for (const auto& command : all) check_command(command);
}

TEST(Contributing, commands_work) {
  for (const auto& command : commands(project / ".github/CONTRIBUTING.md")) check_command(command);
}

TEST(Gate, commands_and_settings_in_its_readme_work) {
  const fs::path readme = project / "results/gate/README.md";
  for (const auto& command : commands(readme)) check_command(command);

  // What it shows as the keys of a policy are the defaults, but for the rows.
  const fs::path file = fs::path(::testing::TempDir()) / fmt::format("gate-{}.toml", ::getpid());
  const auto settings = documents::blocks(readme, "toml");
  ASSERT_EQ(settings.size(), 2U);
  std::ofstream(file) << joined(settings[0]);
  const results::Policy shown = results::read_policy(file);
  const results::Policy defaults;
  EXPECT_EQ(shown.metrics, defaults.metrics);
  EXPECT_EQ(shown.arguments, defaults.arguments);
  EXPECT_EQ(std::tuple(shown.floor_percent, shown.alpha, shown.screen_pairs, shown.screen_alpha,
                       shown.confirm_pairs, shown.budget_minutes, shown.discarded_share_max,
                       shown.min_time_s, shown.repetitions, shown.inconclusive_fails),
            std::tuple(defaults.floor_percent, defaults.alpha, defaults.screen_pairs,
                       defaults.screen_alpha, defaults.confirm_pairs, defaults.budget_minutes,
                       defaults.discarded_share_max, defaults.min_time_s, defaults.repetitions,
                       defaults.inconclusive_fails));
  std::ofstream(file) << joined(settings[1]);
  EXPECT_EQ(results::read_waivers(file).size(), 1U);
  fs::remove(file);
}

TEST(Gate, policy_of_this_project_finds_its_rows) {
  EXPECT_THAT(results::read_waivers(project / ".github/waivers.toml"), IsEmpty());
  const results::Policy policy = results::read_policy(project / ".github/gate.toml");
  const auto listed = shell(
      with_this_build("build/release/bench/round_trip --benchmark_list_tests=true 2>/dev/null"));
  for (const auto& row : policy.rows) {
    std::istringstream names(listed.output);
    bool found = false;
    for (std::string name; std::getline(names, name);)
      found = found || row.finds(results::parse_name(name).text());
    EXPECT_TRUE(found) << row.text();
  }
}

// A `console` block is a command after "$ " and what it prints; a line "..." stands for any lines.
TEST(Readme, output_is_what_comes_out) {
  const auto blocks = documents::blocks(project / "README.md", "console");
  ASSERT_THAT(blocks, Not(IsEmpty()));
  for (auto block : blocks) {
    ASSERT_TRUE(block.front().starts_with("$ ")) << block.front();
    const auto finished = shell(with_this_build(block.front().substr(2)));
    EXPECT_EQ(finished.code, 0) << finished.output;
    block.erase(block.begin());
    if (block.back() == "...") {
      block.pop_back();
      EXPECT_EQ(finished.output.substr(0, joined(block).size()), joined(block));
    } else {
      EXPECT_EQ(finished.output, joined(block));
    }
  }
}

TEST(IpcReadme, has_the_table_that_the_catalog_prints) {
  const auto printed = shell(with_this_build("build/release/bench/catalog --markdown"));
  ASSERT_EQ(printed.code, 0) << printed.output;
  ASSERT_THAT(printed.output, HasSubstr("| `pipe` |"));
  EXPECT_THAT(joined(documents::lines(project / "ipc/README.md")),
              HasSubstr("<!-- catalog -->\n" + printed.output + "<!-- end -->\n"))
      << "put what `build/release/bench/catalog --markdown` prints between the two marks";
}

TEST(Readme, shows_every_option_of_bench_run) {
  const std::string readme = joined(documents::lines(project / "README.md"));
  const std::string help = shell("bench/run --help").output;
  const std::regex described("\n  (--[a-z-]+)");
  int options = 0;
  for (std::sregex_iterator match(help.begin(), help.end(), described), end; match != end;
       ++match) {
    const std::string option = (*match)[1];
    if (option == "--help" || option == "--quick") continue;  // known, and the default
    EXPECT_THAT(readme, HasSubstr("bench/run " + option));
    ++options;
  }
  EXPECT_GT(options, 2) << help;
}

TEST(Readme, example_builds_and_runs) {
  const fs::path folder =
      fs::path(::testing::TempDir()) / ("ipc-compare-example-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  fs::create_directory_symlink(project, folder / "ipc-compare");
  const auto cmake = documents::blocks(project / "README.md", "cmake");
  const auto program = documents::blocks(project / "README.md", "cpp");
  ASSERT_EQ(cmake.size(), 1U);
  ASSERT_EQ(program.size(), 1U);
  std::ofstream(folder / "app.cpp") << joined(program.front());
  std::ofstream(folder / "CMakeLists.txt")
      << "cmake_minimum_required(VERSION 3.25)\nproject(example CXX)\nadd_executable(app app.cpp)\n"
      << joined(cmake.front());

  const auto built =
      shell("cd '" + folder.string() + "' && cmake -G Ninja -B build . && cmake --build build");
  EXPECT_EQ(built.code, 0) << built.output;
  const auto ran = shell(folder / "build/app");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.output, "0\n2\n4\n42 from 8 bytes\n");
  fs::remove_all(folder);
}

}  // namespace
