// The benchmarks measure what they claim: samples, payload, peers, watchdog, and the binaries'
// manners.
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/measure.hpp"
#include "bench/payload.hpp"
#include "bench/peer.hpp"
#include "bench/samples.hpp"
#include "bench/watchdog.hpp"

namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Json = nlohmann::json;

std::vector<std::string> lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> all;
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

// ---- samples ----

bench::Samples one_to(int last) {
  bench::Samples samples;
  for (int value = last; value >= 1; --value) samples.add(value);  // not in order
  return samples;
}

TEST(Samples, percentiles_are_samples_that_were_taken) {
  const auto samples = one_to(100);
  EXPECT_EQ(samples.percentile(0.50), 50);
  EXPECT_EQ(samples.percentile(0.90), 90);
  EXPECT_EQ(samples.percentile(0.99), 99);
  EXPECT_EQ(samples.percentile(0.999), 100);
  EXPECT_EQ(samples.percentile(1), 100);
  EXPECT_EQ(one_to(1000).percentile(0.999), 999);
}

TEST(Samples, one_sample_is_every_percentile) {
  const auto samples = one_to(1);
  EXPECT_EQ(samples.percentile(0.001), 1);
  EXPECT_EQ(samples.percentile(0.999), 1);
}

TEST(Samples, none_have_no_percentile) {
  EXPECT_THROW(static_cast<void>(bench::Samples().percentile(0.5)), std::logic_error);
  EXPECT_THROW(static_cast<void>(bench::Samples().counters()), std::logic_error);
}

TEST(Samples, counters_tell_the_tail) {
  auto samples = one_to(1000);
  samples.add(1e6);
  const auto counters = samples.counters();
  EXPECT_EQ(counters.at("latency_ns_p50"), 501);
  EXPECT_EQ(counters.at("latency_ns_p99_9"), 1000);
  EXPECT_EQ(counters.at("latency_ns_max"), 1e6);
  EXPECT_EQ(counters.at("samples"), 1001);
}

// ---- the timing loop ----

constexpr bench::Settings two_milliseconds{.size = bench::Size::smoke, .seconds_per_row = 0.002};

TEST(Measure, short_operations_are_timed_in_batches) {
  std::atomic<int> value = 0;
  const auto measured = bench::measure(two_milliseconds, {}, [&] { ++value; });
  EXPECT_GT(measured.batch, 1);
  EXPECT_GE(measured.seconds, 0.002);
  EXPECT_EQ(static_cast<double>(measured.operations),
            measured.batch * static_cast<double>(measured.samples.size()));
}

TEST(Measure, long_operations_are_timed_one_by_one) {
  const auto measured =
      bench::measure(two_milliseconds, {}, [] { std::this_thread::sleep_for(100us); });
  EXPECT_EQ(measured.batch, 1);
  EXPECT_THAT(measured.samples.percentile(0.01), Ge(100'000));
}

// ---- payload ----

class Payload : public ::testing::TestWithParam<std::size_t> {
 protected:
  static std::vector<std::byte> copy(ipc::Bytes message) {
    return {message.begin(), message.end()};
  }

  bench::Payload sender_{GetParam(), bench::Check::everything};
  bench::Payload receiver_{GetParam(), bench::Check::everything};
};

TEST_P(Payload, accepts_what_was_sent) {
  for (std::uint64_t sequence = 0; sequence < 600; ++sequence) {
    EXPECT_NO_THROW(receiver_.verify(sender_.message(sequence), sequence));
  }
}

TEST_P(Payload, notices_every_flipped_bit) {
  const auto message = copy(sender_.message(7));
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    auto flipped = message;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_THROW(receiver_.verify(flipped, 7), bench::WrongMessage) << "bit " << bit;
  }
}

TEST_P(Payload, notices_a_lost_and_a_doubled_message) {
  EXPECT_THROW(receiver_.verify(sender_.message(8), 7), bench::WrongMessage);  // 7 was lost
  EXPECT_THROW(receiver_.verify(sender_.message(6), 7), bench::WrongMessage);  // 6 came twice
}

TEST_P(Payload, notices_a_message_that_is_too_long_or_cut) {
  auto message = copy(sender_.message(7));
  message.push_back(std::byte{0});
  EXPECT_THROW(receiver_.verify(message, 7), bench::WrongMessage);
  message.resize(GetParam() - 1);
  EXPECT_THROW(receiver_.verify(message, 7), bench::WrongMessage);
}

TEST_P(Payload, the_cheap_check_looks_at_both_ends) {
  bench::Payload sender(GetParam(), bench::Check::ends);
  const bench::Payload receiver(GetParam(), bench::Check::ends);
  const auto message = copy(sender.message(7));
  EXPECT_NO_THROW(receiver.verify(message, 7));
  for (const std::size_t at : {std::size_t{0}, message.size() - 1}) {
    auto flipped = message;
    flipped[at] ^= std::byte{1};
    EXPECT_THROW(receiver.verify(flipped, 7), bench::WrongMessage) << "byte " << at;
  }
}

class LongPayload : public Payload {};  // of more than one word

TEST_P(LongPayload, notices_two_messages_torn_into_one) {
  auto torn = copy(sender_.message(7));
  const auto next = copy(sender_.message(8));
  std::copy(next.begin() + 8, next.end(), torn.begin() + 8);
  EXPECT_THROW(receiver_.verify(torn, 7), bench::WrongMessage);
}

INSTANTIATE_TEST_SUITE_P(Bytes, LongPayload, ::testing::Values(9, 48, 1024));
INSTANTIATE_TEST_SUITE_P(Bytes, Payload, ::testing::Values(1, 7, 8, 9, 16, 48, 61, 1024));

// ---- peers ----

class Peers : public ::testing::TestWithParam<bench::PeerKind> {
 protected:
  bench::Peer start(bench::Peer::Work work) {
    return {GetParam(), placement_, bench::Cpus::any, std::move(work), [] {}};
  }

 private:
  bench::Placement placement_;
};

TEST_P(Peers, tell_what_an_operation_cost) {
  auto peer = start([]() -> std::uint64_t {
    const auto until = ipc::Deadline::in(20ms);
    while (!until.expired()) {
    }
    return 10;
  });
  const bench::Usage usage = peer.finish();
  EXPECT_GT(usage.cpu_ns, 0);
  EXPECT_LE(usage.cpu_ns, 20e6);  // a tenth of what it ran, and it may have run a little longer
}

TEST_P(Peers, tell_why_they_failed) {
  auto peer = start([]() -> std::uint64_t { throw std::runtime_error("the pipe is on fire"); });
  try {
    peer.finish();
    FAIL() << "a failed peer was believed";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the pipe is on fire"));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Peers,
                         ::testing::Values(bench::PeerKind::process, bench::PeerKind::thread));

TEST(ProcessPeer, that_is_killed_is_no_success) {
  const bench::Placement placement;
  bench::Peer peer(
      bench::PeerKind::process, placement, bench::Cpus::any,
      []() -> std::uint64_t {
        ::raise(SIGKILL);
        return 1;
      },
      [] {});
  try {
    peer.finish();
    FAIL() << "a killed peer was believed";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("SIGKILL"));
  }
}

// ---- watchdog ----

struct Watched {
  int code;
  std::string said;
};

Watched watch(const std::function<int(bench::Progress&)>& work) {
  bench::Progress progress;
  ::testing::internal::CaptureStderr();
  const int code = bench::watch(progress, 1s, [&] { return work(progress); });
  return {.code = code, .said = ::testing::internal::GetCapturedStderr()};
}

TEST(Watchdog, hands_the_exit_code_on) {
  EXPECT_EQ(watch([](auto&) { return 0; }).code, 0);
  EXPECT_EQ(watch([](auto&) { return bench::exit_code::usage; }).code, bench::exit_code::usage);
}

TEST(Watchdog, kills_what_hangs_and_names_the_row) {
  const Watched watched = watch([](bench::Progress& progress) {
    progress.begin("round_trip/channel:broken");
    for (;;) ::pause();
    return 0;
  });
  EXPECT_EQ(watched.code, bench::exit_code::failed);
  EXPECT_THAT(watched.said, HasSubstr("hung"));
  EXPECT_THAT(lines(watched.said), Contains("broken row: round_trip/channel:broken"));
}

TEST(Watchdog, lets_slow_work_go_on_while_it_makes_progress) {
  EXPECT_EQ(watch([](bench::Progress& progress) {
              for (int row = 0; row < 5; ++row) {
                progress.begin("slow");
                std::this_thread::sleep_for(400ms);
                progress.end(false);
              }
              return 0;
            }).code,
            0);
}

TEST(Watchdog, names_the_signal_and_the_row_of_a_crash) {
  const Watched watched = watch([](bench::Progress& progress) {
    progress.begin("one_way/channel:broken");
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(watched.code, bench::exit_code::failed);
  EXPECT_THAT(watched.said, HasSubstr("SIGKILL"));
  EXPECT_THAT(lines(watched.said), Contains("broken row: one_way/channel:broken"));
}

TEST(Watchdog, blames_no_row_for_a_crash_between_two) {
  const Watched watched = watch([](bench::Progress& progress) {
    progress.begin("one_way/channel:sound");
    progress.end(false);
    return ::raise(SIGKILL);
  });
  EXPECT_EQ(watched.code, bench::exit_code::failed);
  EXPECT_THAT(watched.said, Not(HasSubstr("broken row")));
}

TEST(Watchdog, leaves_nobody_behind) {
  for (const bool hangs : {true, false}) {
    std::array<int, 2> fds{};
    ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
    ipc::Fd reader(fds[0]);
    ipc::Fd writer(fds[1]);
    watch([&](auto&) {
      if (::fork() == 0) {  // a grandchild that nobody waits for, and that holds the pipe open
        for (;;) ::pause();
      }
      while (hangs) ::pause();
      return 0;
    });
    writer.reset();
    EXPECT_TRUE(ipc::poll(reader.get(), POLLIN, ipc::Deadline::in(10s))) << "still there";
  }
}

TEST(Watchdog, ends_everything_when_it_is_interrupted) {
  const Watched watched = watch([](bench::Progress&) {
    ::kill(::getppid(), SIGTERM);
    for (;;) ::pause();
    return 0;
  });
  EXPECT_EQ(watched.code, bench::exit_code::interrupted);
}

// ---- the binaries ----

struct Ended {
  int code;
  std::string output;  // of the streams that the command sends here
};

const std::string binaries = PROJECT_BINARY_DIR "/bench/";

// Runs a binary of the benchmarks through the shell, with `before` in front of it.
Ended run(const std::string& command, const std::string& before = "") {
  FILE* pipe = ::popen((before + binaries + command).c_str(), "r");
  if (pipe == nullptr) throw std::system_error(errno, std::generic_category(), "popen");
  Ended ended{.code = 0, .output = {}};
  std::array<char, 4096> part{};
  while (const auto size = std::fread(part.data(), 1, part.size(), pipe)) {
    ended.output.append(part.data(), size);
  }
  ended.code = WEXITSTATUS(::pclose(pipe));
  return ended;
}

Json catalog() {
  return Json::parse(run("catalog --json").output);
}

// The rows of every scenario in the catalog, without what Google Benchmark adds to their names.
std::vector<std::string> all_rows() {
  std::vector<std::string> rows;
  const Json catalogued = catalog();
  for (const Json& scenario : catalogued.at("scenarios")) {
    const auto listed =
        run(scenario.at("name").get<std::string>() + " --benchmark_list_tests 2>/dev/null");
    EXPECT_EQ(listed.code, 0) << scenario;
    for (const auto& row : lines(listed.output)) rows.push_back(row.substr(0, row.rfind('/')));
  }
  return rows;
}

TEST(Binary, refuses_a_filter_that_matches_nothing) {
  const Ended ended = run("floor --benchmark_filter=no_such_row 2>&1");
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(lines(ended.output).back(), HasSubstr("no_such_row"));
}

TEST(Binary, refuses_flags_and_values_that_it_does_not_know) {
  for (const std::string flag :
       {"--no_such_flag", "--size=enormous", "--benchmark_min_time=soon",
        "--benchmark_min_time=inf", "--benchmark_min_time=1e9", "--benchmark_format=poem"}) {
    EXPECT_EQ(run("floor " + flag + " 2>/dev/null").code, 2) << flag;
  }
  EXPECT_EQ(run("catalog --xml 2>/dev/null").code, 2);
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
    const Ended ended = run("floor --benchmark_list_tests --after=floor/what:system_call" + ending +
                            " 2>/dev/null");
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(lines(ended.output), later);
  }
}

TEST(Binary, refuses_to_begin_after_a_row_that_it_does_not_have) {
  for (const std::string row : {"floor/what:nothing", "floor/what:system", "floor"}) {
    const Ended ended = run("floor --after=" + row + " 2>&1 >/dev/null");
    EXPECT_EQ(ended.code, 2) << row;
    EXPECT_THAT(ended.output, HasSubstr("--after=" + row));
  }
}

// Out of descriptors: nothing can be measured, and that is no crash.
TEST(Binary, says_what_it_lacks) {
  const Ended ended = run("floor 2>&1 >/dev/null", "prlimit --nofile=4 ");
  EXPECT_EQ(ended.code, 4);
  EXPECT_THAT(lines(ended.output), SizeIs(1));
}

TEST(Binary, repeats_a_row_as_often_as_it_is_told) {
  const Ended ended =
      run("floor --size=smoke --benchmark_format=json --benchmark_repetitions=3 "
          "--benchmark_filter=what:clock 2>/dev/null");
  EXPECT_EQ(ended.code, 0);
  const Json report = Json::parse(ended.output);
  const auto single = [](const Json& each) { return each.at("run_type") == "iteration"; };
  EXPECT_EQ(std::count_if(report.at("benchmarks").begin(), report.at("benchmarks").end(), single),
            3);
}

TEST(Binary, is_interrupted_at_once) {
  const Ended ended =
      run("one_way --size=full 2>&1 >/dev/null", "timeout --preserve-status -s INT 1 ");
  EXPECT_EQ(ended.code, bench::exit_code::interrupted);
  EXPECT_THAT(ended.output, HasSubstr("stopped by signal"));
}

Json row(const std::string& binary, const std::string& filter) {
  const Ended ended = run(binary + " --size=smoke --benchmark_format=json --benchmark_filter='" +
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

TEST(Row, of_shared_data_has_its_counters) {
  expect_round_counters(
      row("shared_data", "data:table/guard:robust_mutex/peer:process/.*workers:2/"),
      {"updates_per_second", "cpu_ns_per_message"});
}

TEST(Row, of_pool_map_has_its_counters) {
  expect_round_counters(row("pool_map", "pool:process_pipe/task:cpu/workers:2/"),
                        {"tasks_per_second"});
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

std::vector<Absent> absent_rows() {
  std::vector<Absent> all;
  const Json catalogued = catalog();
  for (const Json& absent : catalogued.at("absent")) {
    const auto text = absent.at("rows").get<std::string>();
    all.push_back({.text = text, .rows = std::regex(text, std::regex::optimize)});
  }
  return all;
}

TEST(Rows, that_the_catalog_calls_absent_are_absent) {
  const auto rows = all_rows();
  for (const Absent& absent : absent_rows()) {
    for (const auto& row : rows) EXPECT_FALSE(std::regex_match(row, absent.rows)) << row;
  }
}

TEST(Rows, that_are_absent_are_called_so_by_the_catalog) {
  const auto rows = all_rows();
  const auto catalogued = absent_rows();
  std::set<std::string> missing = grid(rows);
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

TEST(Rows, of_every_channel_and_pool_are_there) {
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
  for (const Json& pool : catalogued.at("pools")) {
    expect_row("pool_map/pool:" + pool.at("name").get<std::string>() + "/");
  }
}

TEST(Rows, of_a_single_cpu_do_not_claim_two) {
  const bench::Placement placement;
  const bench::Pinned pinned(placement, bench::Cpus::same);  // what we start inherits it
  const Ended rows = run("round_trip --benchmark_list_tests 2>/dev/null");
  EXPECT_THAT(rows.output, AllOf(HasSubstr("cpus:same"), Not(HasSubstr("cpus:cross"))));
  const Ended said = run("round_trip --benchmark_list_tests 2>&1 >/dev/null");
  EXPECT_THAT(lines(said.output), Contains(HasSubstr("cpus:cross are absent")));
}

}  // namespace
