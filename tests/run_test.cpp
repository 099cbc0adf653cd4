// bench/run and tests/run, as far as they can be run without building everything once more: what
// they refuse, and how they end. In build/release, where nothing is left to build, bench/run whole.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "tests/leftovers.hpp"

namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path project = PROJECT_SOURCE_DIR;

// A folder of this test's own, gone with it.
class Run : public ::testing::Test {
 protected:
  ~Run() override { fs::remove_all(folder_); }

  // Starts a script of the project with `environment` added; its words go to said().
  ipc::Process start(const std::string& command, const std::string& environment = "") {
    return ipc::Process([&] {
      const std::string line = environment + " exec " + command + " >'" +
                               (folder_ / "said").string() + "' 2>&1 </dev/null";
      if (::chdir(project.c_str()) != 0) return 126;
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      return 127;
    });
  }
  int code_of(const std::string& command, const std::string& environment = "") {
    auto process = start(command, environment);
    return process.join()->code;
  }
  std::string said() const {
    std::ifstream file(folder_ / "said");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  const fs::path& folder() const { return folder_; }

 private:
  static fs::path fresh_folder() {
    std::string name = ::testing::TempDir() + "ipc-compare-run-XXXXXX";
    return ::mkdtemp(name.data());
  }
  fs::path folder_ = fresh_folder();
};

class WholeRun : public Run {
 protected:
  void SetUp() override {
    if (fs::path(PROJECT_BINARY_DIR) != project / "build/release") {
      GTEST_SKIP() << "would build build/release; this is " PROJECT_BINARY_DIR;
    }
  }
};

std::ptrdiff_t lines(const std::string& text) {
  return std::ranges::count(text, '\n');
}

TEST_F(Run, refuses_what_it_does_not_know_in_one_line) {
  for (const char* command : {"bench/run --fast", "bench/run --out", "bench/run --out ''",
                              "tests/run --fast", "tests/run slow", "tests/run dev release"}) {
    EXPECT_EQ(code_of(command), 2) << command;
    EXPECT_EQ(lines(said()), 1) << said();
  }
}

TEST_F(Run, refuses_a_folder_that_cannot_be_written_before_it_builds) {
  std::ofstream(folder() / "file") << "in the way\n";
  const std::string out = folder() / "file/tables";
  EXPECT_EQ(code_of("bench/run --out '" + out + "'"), 5);
  EXPECT_THAT(said(), HasSubstr(out));
  EXPECT_EQ(lines(said()), 1) << said();
}

// With a dpkg-query that knows no package, and an apt-get that tells when it is called.
TEST_F(Run, only_names_missing_packages_when_told_so) {
  for (const char* tool : {"dpkg-query", "apt-get"}) {
    std::ofstream(folder() / tool)
        << "#!/bin/sh\necho called >>'" << folder().string() << "'/" << tool << ".calls\nexit 1\n";
    fs::permissions(folder() / tool, fs::perms::owner_all);
  }
  const std::string path = "PATH='" + folder().string() + "':\"$PATH\"";
  for (const char* command : {"bench/run --no-install", "tests/run --no-install"}) {
    EXPECT_EQ(code_of(command, path), 2) << said();
    std::ifstream packages(project / ".ci/packages.txt");
    for (std::string line; std::getline(packages, line);) {
      if (line.empty() || line.starts_with('#')) continue;
      if (line.find("for tests only") != line.npos && command[0] == 'b') {
        EXPECT_THAT(said(), Not(HasSubstr(line.substr(0, line.find_first_of(" |")))));
        continue;
      }
      EXPECT_THAT(said(), HasSubstr(line.substr(0, line.find_first_of(" |"))));
      EXPECT_THAT(said(), HasSubstr(line.substr(line.find_first_not_of(' ', line.find(' ')))));
    }
    EXPECT_FALSE(fs::exists(folder() / "apt-get.calls"));
  }
}

TEST_F(WholeRun, ends_with_a_page_and_says_where) {
  const std::string out = folder() / "tables";
  EXPECT_EQ(code_of("bench/run --no-install --filter "
                    "'^round_trip/channel:pipe/peer:thread/cpus:any/bytes:64' --out '" +
                    out + "'"),
            0)
      << said();
  EXPECT_TRUE(fs::exists(out + "/run.json"));
  EXPECT_TRUE(fs::exists(out + "/README.md"));
  EXPECT_THAT(said(), EndsWith("published: " + out + "/README.md\n"));
}

TEST_F(WholeRun, tells_that_no_row_matches) {
  EXPECT_EQ(
      code_of("bench/run --no-install --filter no_such_row --out '" + folder().string() + "/out'"),
      2)
      << said();
  EXPECT_THAT(said(), HasSubstr("no_such_row"));
}

// By Ctrl-C, by Ctrl-\, and in the way that nothing can be done against.
TEST_F(WholeRun, stops_at_once_and_leaves_no_process) {
  // Those that were not there before; who was may end meanwhile.
  const auto processes_since = [](const leftovers::Names& before) {
    auto now = leftovers::processes(PROJECT_BINARY_DIR);
    std::erase_if(now, [&](const std::string& process) { return before.contains(process); });
    return now;
  };
  const auto until = [](auto condition) {
    for (int tries = 0; tries < 600 && !condition(); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return condition();
  };
  for (const int signal : {SIGINT, SIGQUIT, SIGKILL}) {
    SCOPED_TRACE(signal);
    const auto before = leftovers::processes(PROJECT_BINARY_DIR);
    auto run = start("bench/run --no-install --full --out '" + folder().string() + "/out'");
    ASSERT_TRUE(until([&] { return processes_since(before).size() > 1; })) << said();
    run.kill(signal);
    const auto ended = run.join(ipc::Deadline::in(std::chrono::seconds(60)));  // or it hangs
    ASSERT_TRUE(ended.has_value());
    if (signal != SIGKILL) {
      EXPECT_EQ(ended->code, 130) << said();
    }
    EXPECT_TRUE(until([&] { return processes_since(before).empty(); }));
  }
}

}  // namespace
