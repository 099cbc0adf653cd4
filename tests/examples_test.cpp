// The example programs do what they show.
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "ipc/process.hpp"
#include "tests/command_line.hpp"
#include "tests/documents.hpp"
#include "tests/scratch.hpp"

namespace {

using testing::Contains;
using testing::IsSupersetOf;

std::vector<std::string> lines_of(const std::string& example) {
  const std::string program = PROJECT_BINARY_DIR "/" + example;
  const command_line::Outcome ran = command_line::sh(program);
  EXPECT_EQ(ran.code, 0) << program << " failed";
  return lines(ran.output);
}

std::ptrdiff_t place(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) - lines.begin();
}

class Examples : public testing::TestWithParam<std::string> {};

TEST_P(Examples, ThreeWorkersStartWorkAndFinish) {
  const auto lines = lines_of("pools/examples/" + GetParam());
  for (int worker = 0; worker < 3; ++worker) {
    const auto started = fmt::format("Worker {} started", worker);
    const auto result = fmt::format("Worker {} result: {}", worker, worker * 2);
    const auto finished = fmt::format("Worker {} finished", worker);
    EXPECT_THAT(lines, IsSupersetOf({started, result, finished}));
    EXPECT_LT(place(lines, started), place(lines, result));
    EXPECT_LT(place(lines, result), place(lines, finished));
  }
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back(), "All workers have finished");
}

INSTANTIATE_TEST_SUITE_P(, Examples, testing::Values("process_pool_example", "thread_example"),
                         [](const auto& test) { return test.param; });

// They meet in a folder that is not the user's own.
TEST(NamedExamples, WhatOneSendsTheOtherPrints) {
  const Scratch runtime;
  ASSERT_EQ(::setenv("XDG_RUNTIME_DIR", runtime.path().c_str(), 1), 0);
  ipc::Process publisher(
      [] { return std::system(PROJECT_BINARY_DIR "/ipc/examples/publish_example"); });
  const auto folder = "ipc-compare." + std::to_string(::geteuid());
  while (!std::filesystem::exists(runtime.path() / folder) || runtime.names(folder).empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_THAT(lines_of("ipc/examples/attach_example"),
              testing::ElementsAre("tick 1", "tick 2", "tick 3"));
  EXPECT_EQ(publisher.join()->text(), "exited with code 0");
  EXPECT_THAT(runtime.names(folder), testing::IsEmpty());
}

TEST(NamedExamples, AreWhatTheReadmeShows) {
  const std::filesystem::path ipc = PROJECT_SOURCE_DIR "/ipc";
  auto known = documents::lines(ipc / "examples/publish_example.cpp");
  const auto more = documents::lines(ipc / "examples/attach_example.cpp");
  known.insert(known.end(), more.begin(), more.end());
  const auto shown = documents::blocks(ipc / "README.md", "cpp");
  ASSERT_THAT(shown, testing::Not(testing::IsEmpty()));
  for (const auto& block : shown) EXPECT_THAT(known, IsSupersetOf(block));
}

}  // namespace
