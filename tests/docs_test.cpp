// The documentation is true: each command that it shows works, each output that it shows is what
// comes out, and its example builds.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/documents.hpp"

namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const fs::path project = PROJECT_SOURCE_DIR;

struct Finished {
  int code;
  std::string output;  // standard output and standard error
};

// Runs a command line as a reader would, in the project's folder.
Finished shell(const std::string& command) {
  const std::string line = "cd '" + project.string() + "' && { " + command + "\n} 2>&1 </dev/null";
  FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) throw std::system_error(errno, std::generic_category(), "popen");
  Finished finished{.code = 0, .output = {}};
  std::array<char, 4096> chunk{};
  while (const auto size = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
    finished.output.append(chunk.data(), size);
  }
  const int status = ::pclose(pipe);
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
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

// Checks a command without doing again what runs for minutes: the scripts parse every argument
// before --help is obeyed, presets are looked up, programs of the build really run.
void check_command(const std::string& command) {
  SCOPED_TRACE(command);
  Finished finished{};
  if (command.starts_with("bench/run") || command.starts_with("tests/run")) {
    finished = shell(command + " --help");
    EXPECT_THAT(finished.output, HasSubstr("usage: " + command.substr(0, 9)));
  } else if (command == ".ci/run") {
    finished = shell("bash -n .ci/run && test -x .ci/run");
  } else if (command.starts_with("build/release/")) {
    finished = shell(with_this_build(command));
    EXPECT_THAT(finished.output, Not(IsEmpty()));
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
