// The program python_pools: the manners of the other benchmarks, in another language.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "results/run_file.hpp"
#include "tests/command_line.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using command_line::Outcome;
using results::Json;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string program = PROJECT_BINARY_DIR "/bench/python_pools";

Outcome run(const std::string& arguments) {
  return command_line::sh(program + " " + arguments);
}

class PythonPools : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "there is no /usr/bin/python3";
  }
};

TEST_F(PythonPools, lists_rows_that_the_filter_takes) {
  const auto all = lines(run("--benchmark_list_tests").output);
  EXPECT_THAT(all, Each(HasSubstr("/pool:python_")));
  EXPECT_THAT(all, Each(::testing::EndsWith("/manual_time")));
  const std::string row =
      "pool_map/pool:python_multiprocessing_pool/task:empty/chunk:1/workers:2/manual_time";
  EXPECT_THAT(all, Contains(row));
  EXPECT_THAT(lines(run("--benchmark_list_tests=true --benchmark_filter='^" + row + "$'").output),
              ::testing::ElementsAre(row));
  const auto others = lines(run("--benchmark_list_tests --benchmark_filter=-pool_map").output);
  EXPECT_THAT(others, Each(::testing::Not(HasSubstr("pool_map"))));
  EXPECT_THAT(others, ::testing::Not(IsEmpty()));
}

TEST_F(PythonPools, begins_after_the_row_that_it_is_told) {
  const auto all = lines(run("--benchmark_list_tests").output);
  ASSERT_GT(all.size(), 3U);
  const std::vector<std::string> later(all.begin() + 3, all.end());
  const std::string row = all[2].substr(0, all[2].rfind('/'));  // as a broken row is told
  EXPECT_EQ(lines(run("--benchmark_list_tests --after=" + row).output), later);
  EXPECT_EQ(lines(run("--benchmark_list_tests --after=" + all[2]).output), later);
}

TEST_F(PythonPools, refuses_what_makes_no_sense) {
  for (const std::string flag :
       {"--no_such_flag", "--size=enormous", "--benchmark_min_time=soon",
        "--benchmark_min_time=inf", "--benchmark_min_time=0", "--benchmark_format=poem",
        "--benchmark_out_format=poem", "--benchmark_filter='('", "--benchmark_filter=no_such_row",
        "--after=no_such_row", "--benchmark_list_tests=maybe"}) {
    const Outcome ended = run(flag + " 2>&1");
    EXPECT_EQ(ended.code, 2) << flag;
    EXPECT_THAT(ended.output, HasSubstr(flag.substr(0, flag.find('=')))) << "which flag?";
  }
  EXPECT_EQ(run("--benchmark_out=/proc/no/such/folder 2>/dev/null").code, 5);
}

// With the words that ipc-compare uses; each row has checked the results of its tasks.
TEST_F(PythonPools, writes_what_the_reader_of_run_files_takes) {
  const Scratch scratch;
  const fs::path out = scratch.path() / "report.json";
  const Outcome ended =
      run("--size=smoke --benchmark_filter='(task:empty|pool_dispatch|memory).*"
          "(workers:[24]|cpus:same)/' --benchmark_format=json --benchmark_out='" +
          out.string() + "' --benchmark_out_format=json");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.output, read(out)) << "the same on standard output, as it goes";
  EXPECT_THAT(ended.output, HasSubstr("\n      \"name\": \"")) << "by this a reader counts rows";
  const results::Entries entries = results::read_entries(read(out));
  EXPECT_TRUE(entries.complete) << entries.problem;
  EXPECT_EQ(entries.context.at("size"), "smoke");
  EXPECT_THAT(entries.rows, SizeIs(24));  // of four pools: 2 chunks, 2 counts; a place; memory
  for (const Json& row : entries.rows) {
    SCOPED_TRACE(row.dump(2));
    EXPECT_FALSE(row.contains("error_occurred"));
    EXPECT_GT(row.at("real_time"), 0);
    EXPECT_EQ(row.at("time_unit"), "ns");
    const std::string name = row.at("name");
    const char* counter = name.starts_with("pool_map/")        ? "tasks_per_second"
                          : name.starts_with("pool_dispatch/") ? "latency_ns_p99"
                                                               : "pss_bytes_per_worker";
    EXPECT_TRUE(row.contains(counter));
  }
}

// The processes of a group that have not ended.
std::vector<std::string> group(pid_t leader) {
  std::vector<std::string> alive;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const auto name_end = stat.rfind(") ");
    if (name_end == std::string::npos) continue;
    std::istringstream rest(stat.substr(name_end + 2));
    std::string state;
    pid_t parent = 0, process_group = 0;
    rest >> state >> parent >> process_group;
    if (process_group == leader && state != "Z") alive.push_back(stat);
  }
  return alive;
}

// The group of the process that measures: that of a child of `watchdog` which leads one.
pid_t group_under(pid_t watchdog) {
  const auto path =
      fs::path("/proc") / std::to_string(watchdog) / "task" / std::to_string(watchdog) / "children";
  std::istringstream children(read(path));
  for (pid_t child = 0; children >> child;) {
    if (::getpgid(child) == child) return child;
  }
  return 0;
}

// By Ctrl-C, by a supervisor, and in the way that nothing can be done against.
TEST_F(PythonPools, leaves_no_process_behind_when_it_is_stopped) {
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    SCOPED_TRACE(signal);
    ipc::Process process([] {
      std::freopen("/dev/null", "w", stdout);
      std::freopen("/dev/null", "w", stderr);
      ::execl(program.c_str(), program.c_str(), "--size=full", nullptr);
      return 127;
    });
    const auto until = [](auto condition) {
      for (int tries = 0; tries < 600 && !condition(); ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      return condition();
    };
    pid_t leader = 0;
    ASSERT_TRUE(until([&] { return (leader = group_under(process.pid())) != 0; }));
    ASSERT_TRUE(until([&] { return group(leader).size() > 2; })) << "no worker has come";
    process.kill(signal);
    const auto ended = process.join(ipc::Deadline::in(std::chrono::seconds(30)));  // or it hangs
    ASSERT_TRUE(ended.has_value());
    if (signal != SIGKILL) {
      EXPECT_EQ(ended->code, 130);
    }
    EXPECT_TRUE(until([&] { return group(leader).empty(); }));
  }
}

}  // namespace
