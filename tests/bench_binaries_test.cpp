// The binaries of the benchmarks: their manners, their rows, and what the catalog says of both.
#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/axes.hpp"
#include "bench/placement.hpp"
#include "bench/watchdog.hpp"
#include "tests/command_line.hpp"

namespace {

using command_line::Outcome;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Json = nlohmann::json;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

const std::string binaries = PROJECT_BINARY_DIR "/bench/";

// Runs a binary of the benchmarks through the shell, with `before` in front of it.
Outcome run(const std::string& command, const std::string& before = "") {
  return command_line::sh(before + binaries + command);
}

Json catalog(const std::string& size = "quick") {
  return Json::parse(run("catalog --json --size=" + size).output);
}

// The rows of every scenario in the catalog, without what Google Benchmark adds to their names.
std::vector<std::string> all_rows(const std::string& size = "quick") {
  std::vector<std::string> rows;
  const Json catalogued = catalog();
  for (const Json& scenario : catalogued.at("scenarios")) {
    const auto listed = run(scenario.at("name").get<std::string>() + " --size=" + size +
                            " --benchmark_list_tests 2>/dev/null");
    EXPECT_EQ(listed.code, 0) << scenario;
    for (const auto& row : lines(listed.output)) rows.push_back(row.substr(0, row.rfind('/')));
  }
  return rows;
}

TEST(Binary, refuses_a_filter_that_matches_nothing) {
  const Outcome ended = run("floor --benchmark_filter=no_such_row 2>&1");
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(lines(ended.output).back(), HasSubstr("no_such_row"));
}

TEST(Binary, refuses_flags_and_values_that_it_does_not_know) {
  for (const std::string flag :
       {"--no_such_flag", "--size=enormous", "--benchmark_min_time=soon",
        "--benchmark_min_time=inf", "--benchmark_min_time=1e9", "--benchmark_format=poem"}) {
    EXPECT_EQ(run("floor " + flag + " 2>/dev/null").code, 2) << flag;
  }
  for (const std::string flag : {"--xml", "--size=enormous", "--json --markdown"}) {
    EXPECT_EQ(run("catalog " + flag + " 2>/dev/null").code, 2) << flag;
  }
}

TEST(Binary, says_when_its_output_cannot_be_written) {
  EXPECT_EQ(run("floor --benchmark_out=/proc/no/such/folder 2>/dev/null").code, 5);
}

TEST(Binary, begins_after_the_row_that_it_is_told) {
  const auto names = lines(run("floor --benchmark_list_tests 2>/dev/null").output);
  const auto found = std::find(names.begin(), names.end(), "floor/what:system_call/manual_time");
  ASSERT_NE(found, names.end());
  const std::vector<std::string> later(found + 1, names.end());
  EXPECT_THAT(later, Not(IsEmpty()));
  for (const std::string ending : {"", "/manual_time"}) {  // as a broken row is told, and as listed
    const Outcome ended = run("floor --benchmark_list_tests --after=floor/what:system_call" +
                              ending + " 2>/dev/null");
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(lines(ended.output), later);
  }
}

TEST(Binary, refuses_to_begin_after_a_row_that_it_does_not_have) {
  for (const std::string row : {"floor/what:nothing", "floor/what:system", "floor"}) {
    const Outcome ended = run("floor --after=" + row + " 2>&1 >/dev/null");
    EXPECT_EQ(ended.code, 2) << row;
    EXPECT_THAT(ended.output, HasSubstr("--after=" + row));
  }
}

// Out of descriptors: nothing can be measured, and that is no crash.
TEST(Binary, says_what_it_lacks) {
  if (sanitized) GTEST_SKIP() << "the run time of a sanitizer needs descriptors of its own";
  // One is left, of which the loader has need too: nothing that we inherited may take it.
  const Outcome ended = run("floor 2>&1 >/dev/null", "exec 3>&-; prlimit --nofile=4 ");
  EXPECT_EQ(ended.code, 4);
  auto said = lines(ended.output);
  std::erase_if(said, [](const std::string& line) {
    return line.find("build without optimisation") != line.npos;
  });
  EXPECT_THAT(said, SizeIs(1));
}

TEST(Binary, repeats_a_row_as_often_as_it_is_told) {
  const Outcome ended =
      run("floor --size=smoke --benchmark_format=json --benchmark_repetitions=3 "
          "--benchmark_filter=what:clock 2>/dev/null");
  EXPECT_EQ(ended.code, 0);
  const Json report = Json::parse(ended.output);
  const auto single = [](const Json& each) { return each.at("run_type") == "iteration"; };
  EXPECT_EQ(std::count_if(report.at("benchmarks").begin(), report.at("benchmarks").end(), single),
            3);
}

TEST(Binary, is_interrupted_at_once) {
  // Its child measures: then it listens to signals.
  const Outcome ended =
      run("one_way --size=full 2>&1 >/dev/null & "
          "while [ -z \"$(cat /proc/$!/task/$!/children)\" ]; do sleep 0.02; done; "
          "kill -INT $!; wait $!");
  EXPECT_EQ(ended.code, bench::exit_code::interrupted);
  EXPECT_THAT(ended.output, HasSubstr("stopped by signal"));
}

Json row(const std::string& binary, const std::string& filter) {
  const Outcome ended = run(binary + " --size=smoke --benchmark_format=json --benchmark_filter='" +
                            filter + "' 2>/dev/null");
  EXPECT_EQ(ended.code, 0) << filter;
  const Json report = Json::parse(ended.output);
  EXPECT_EQ(report.at("context").at("size"), "smoke");
  EXPECT_THAT(report.at("benchmarks"), SizeIs(1)) << filter;
  return report.at("benchmarks").at(0);
}

const std::vector<std::string> latency_counters{
    "latency_ns_p50", "latency_ns_p90", "latency_ns_p99", "latency_ns_p99_9", "latency_ns_max"};

void expect_counters(const Json& row, std::vector<std::string> counters) {
  counters.insert(counters.end(), {"samples", "batch"});
  for (const auto& counter : counters) EXPECT_TRUE(row.contains(counter)) << row.dump(2) << counter;
  EXPECT_GT(row.at("real_time"), 0);
  EXPECT_EQ(row.at("time_unit"), "ns");
}

void expect_latency_counters(const Json& row, const std::vector<std::string>& counters) {
  expect_counters(row, counters);
  expect_counters(row, latency_counters);
  EXPECT_LE(row.at("latency_ns_p50"), row.at("latency_ns_max"));
}

// A few means of thousands have no percentiles.
void expect_round_counters(const Json& row, const std::vector<std::string>& counters) {
  expect_counters(row, counters);
  for (const auto& counter : latency_counters) EXPECT_FALSE(row.contains(counter)) << counter;
}

const std::vector<std::string> message_counters{
    "cpu_ns_per_message", "switches_voluntary_per_message", "switches_involuntary_per_message",
    "capacity_bytes", "capacity_messages"};

TEST(Row, of_round_trip_has_its_counters) {
  expect_latency_counters(row("round_trip", "channel:pipe/peer:process/cpus:any/bytes:64/"),
                          message_counters);
}

TEST(Row, of_one_way_has_its_counters) {
  auto counters = message_counters;
  counters.insert(counters.end(), {"messages_per_second", "bytes_per_second"});
  const Json found = row("one_way", "channel:pipe/peer:thread/cpus:any/bytes:1024/");
  expect_latency_counters(found, counters);
  EXPECT_DOUBLE_EQ(found.at("bytes_per_second"),
                   1024 * found.at("messages_per_second").get<double>());
}

TEST(Row, of_notify_has_its_counters) {
  expect_latency_counters(row("notify", "notifier:eventfd/peer:process/cpus:any/"),
                          {"cpu_ns_per_message", "switches_voluntary_per_message",
                           "switches_involuntary_per_message", "times_futex_wake"});
}

TEST(Row, of_shared_data_has_its_counters) {
  expect_round_counters(
      row("shared_data", "data:table/guard:robust_mutex/peer:process/.*workers:2/"),
      {"updates_per_second", "cpu_ns_per_message"});
}

TEST(Row, of_pool_map_has_its_counters) {
  expect_round_counters(row("pool_map", "pool:process_pipe/task:empty/chunk:auto/workers:2/"),
                        {"tasks_per_second"});
  expect_round_counters(row("pool_map", "pool:boost_asio.*/task:xorshift_20us/chunk:1/workers:2/"),
                        {"tasks_per_second", "steps_per_second"});
}

TEST(Row, of_pool_dispatch_has_its_counters) {
  const std::vector<std::string> counters{"cpu_ns_per_task", "switches_voluntary_per_task"};
  auto beside = counters;
  beside.emplace_back("times_round_trip");
  expect_latency_counters(row("pool_dispatch", "pool:process_pipe/cpus:same/"), beside);
  expect_latency_counters(row("pool_dispatch", "pool:thread_futex/cpus:same/"), beside);
  expect_latency_counters(row("pool_dispatch", "pool:boost_asio.*/cpus:same/"), counters);
}

TEST(Row, of_pool_death_has_its_counters) {
  const Json found = row("pool_death", "pool:process_unix_stream/");
  EXPECT_EQ(found.at("label"), "told");
  EXPECT_GT(found.at("known_ns_p50"), 0);
  EXPECT_LE(found.at("known_ns_p50"), found.at("known_ns_p99"));
}

TEST(Row, of_memory_has_its_counters) {
  for (const std::string pool : {"process_pipe", "thread_futex"}) {
    const Json found = row("memory", "pool:" + pool + "/");
    EXPECT_GT(found.at("pss_bytes_per_worker"), 0) << pool;
    EXPECT_GT(found.at("private_bytes_per_worker"), 0) << pool;
  }
}

TEST(Rows, have_the_same_order_each_time_and_a_name_of_their_own) {
  const auto rows = all_rows();
  EXPECT_THAT(rows, Not(IsEmpty()));
  EXPECT_EQ(rows, all_rows());
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()).size(), rows.size());
}

// Every row that there could be: the scenarios' keys, each with all values that it has anywhere in
// rows with these keys. What "cpus" may be is known.
std::set<std::string> grid(const std::vector<std::string>& rows) {
  using Values = std::vector<std::string>;  // "key:value", in the order of their first row
  std::map<std::string, std::vector<Values>> shapes;
  for (const std::string& row : rows) {
    std::istringstream stream(row);
    std::string shape;
    std::vector<std::string> parts;
    for (std::string part; std::getline(stream, part, '/'); parts.push_back(part)) {
      shape += (shape.empty() ? part : part.substr(0, part.find(':'))) + "/";
    }
    auto& values = shapes[shape];
    values.resize(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].starts_with("cpus:")) {
        values[i] = {"cpus:same", "cpus:cross", "cpus:any"};
      } else if (std::find(values[i].begin(), values[i].end(), parts[i]) == values[i].end()) {
        values[i].push_back(parts[i]);
      }
    }
  }
  std::set<std::string> all;
  for (const auto& [shape, keys] : shapes) {
    Values names{""};
    for (const Values& values : keys) {
      Values longer;
      for (const auto& name : names) {
        for (const auto& value : values)
          longer.push_back(name.empty() ? value : name + "/" + value);
      }
      names = std::move(longer);
    }
    all.insert(names.begin(), names.end());
  }
  return all;
}

struct Absent {
  std::string text;
  std::regex rows;
};

std::vector<Absent> absent_rows(const std::string& size) {
  std::vector<Absent> all;
  const Json catalogued = catalog(size);
  for (const Json& absent : catalogued.at("absent")) {
    const auto text = absent.at("rows").get<std::string>();
    all.push_back({.text = text, .rows = std::regex(text, std::regex::optimize)});
  }
  return all;
}

class RowsOfASize : public ::testing::TestWithParam<std::string> {};

TEST_P(RowsOfASize, that_the_catalog_calls_absent_are_absent) {
  const auto rows = all_rows(GetParam());
  for (const Absent& absent : absent_rows(GetParam())) {
    for (const auto& row : rows) EXPECT_FALSE(std::regex_match(row, absent.rows)) << row;
  }
}

TEST_P(RowsOfASize, that_are_absent_are_called_so_by_the_catalog) {
  const auto rows = all_rows(GetParam());
  const auto catalogued = absent_rows(GetParam());
  std::set<std::string> missing = grid(all_rows("full"));
  for (const auto& row : rows) EXPECT_EQ(missing.erase(row), 1) << row;
  std::set<std::string> needed;
  for (const auto& row : missing) {
    bool told = false;
    for (const Absent& absent : catalogued) {
      if (!std::regex_match(row, absent.rows)) continue;
      told = true;
      needed.insert(absent.text);
    }
    EXPECT_TRUE(told) << row << " is absent, and nobody says why";
  }
  // One CPU has no row of those who spin, by which to know that they are missing.
  if (!bench::Placement().two_cpus()) return;
  for (const Absent& absent : catalogued) {
    EXPECT_TRUE(needed.contains(absent.text)) << absent.text << " is said of no row";
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RowsOfASize, ::testing::Values("smoke", "quick", "full"),
                         [](const auto& size) { return size.param; });

TEST(Rows, of_everything_in_the_catalog_are_there) {
  const auto rows = all_rows();
  const Json catalogued = catalog();
  const auto expect_row = [&](const std::string& beginning) {
    EXPECT_THAT(rows, Contains(StartsWith(beginning)));
  };
  for (const Json& channel : catalogued.at("channels")) {
    const auto name = channel.at("name").get<std::string>();
    for (const std::string scenario : {"round_trip", "one_way"}) {
      expect_row(scenario + "/channel:" + name + "/");
    }
    expect_row("shared_data/data:counter/guard:owner_" + name + "/");
  }
  for (const Json& lock : catalogued.at("locks")) {
    expect_row("shared_data/data:counter/guard:" + lock.at("name").get<std::string>() + "/");
  }
  for (const Json& notifier : catalogued.at("notifiers")) {
    expect_row("notify/notifier:" + notifier.at("name").get<std::string>() + "/");
  }
  for (const Json& pool : catalogued.at("pools")) {
    expect_row("pool_map/pool:" + pool.at("name").get<std::string>() + "/");
  }
}

TEST(Rows, of_a_single_cpu_do_not_claim_two) {
  const bench::Placement placement;
  const bench::Pinned pinned(placement, bench::Cpus::same);  // what we start inherits it
  const Outcome rows = run("round_trip --benchmark_list_tests 2>/dev/null");
  EXPECT_THAT(rows.output, AllOf(HasSubstr("cpus:same"), Not(HasSubstr("cpus:cross"))));
  const Outcome said = run("round_trip --benchmark_list_tests 2>&1 >/dev/null");
  EXPECT_THAT(lines(said.output), Contains(HasSubstr("cpus:cross are absent")));
}

}  // namespace
