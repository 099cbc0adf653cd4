// The example programs do what they show.
#include <sys/wait.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

namespace {

using testing::Contains;
using testing::IsSupersetOf;

std::vector<std::string> lines_of(const std::string& example) {
  const std::string program = PROJECT_BINARY_DIR "/pools/examples/" + example;
  std::FILE* output = ::popen(program.c_str(), "r");
  if (output == nullptr) throw std::runtime_error("popen " + program);
  std::string text;
  for (int character = 0; (character = std::fgetc(output)) != EOF;) {
    text.push_back(static_cast<char>(character));
  }
  const int status = ::pclose(output);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << program << " failed";
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::ptrdiff_t place(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) - lines.begin();
}

class Examples : public testing::TestWithParam<std::string> {};

TEST_P(Examples, ThreeWorkersStartWorkAndFinish) {
  const auto lines = lines_of(GetParam());
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

}  // namespace
