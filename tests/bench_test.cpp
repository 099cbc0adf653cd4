// The benchmarks measure what they claim: samples, timing, payload, peers, watchdog.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/measure.hpp"
#include "bench/payload.hpp"
#include "bench/peer.hpp"
#include "bench/samples.hpp"
#include "bench/watchdog.hpp"
#include "tests/scratch.hpp"

namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Not;

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
  const auto memory = ipc::Mapping::create(sizeof(double));
  auto& spent_ns = memory.as<double>();
  auto peer = start([&]() -> std::uint64_t {
    const auto before = bench::Usage::of_this_thread();
    const auto until = ipc::Deadline::in(20ms);
    while (!until.expired()) {
    }
    spent_ns = (bench::Usage::of_this_thread() - before).cpu_ns;
    return 10;
  });
  const bench::Usage usage = peer.finish();
  EXPECT_GE(usage.cpu_ns, spent_ns / 10);  // it is asked a little earlier and a little later
  EXPECT_LT(usage.cpu_ns, spent_ns);
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

// With more patience than anything here takes, unless it is to end.
Watched watch(const std::function<int(bench::Progress&)>& work,
              std::chrono::seconds patience = 60s) {
  bench::Progress progress;
  ::testing::internal::CaptureStderr();
  const int code = bench::watch(progress, patience, [&] { return work(progress); });
  return {.code = code, .said = ::testing::internal::GetCapturedStderr()};
}

TEST(Watchdog, hands_the_exit_code_on) {
  EXPECT_EQ(watch([](auto&) { return 0; }).code, 0);
  EXPECT_EQ(watch([](auto&) { return bench::exit_code::usage; }).code, bench::exit_code::usage);
}

TEST(Watchdog, kills_what_hangs_and_names_the_row) {
  const auto hang = [](bench::Progress& progress) {
    progress.begin("round_trip/channel:broken");
    for (;;) ::pause();
    return 0;
  };
  const Watched watched = watch(hang, 4s);
  EXPECT_EQ(watched.code, bench::exit_code::failed);
  EXPECT_THAT(watched.said, HasSubstr("hung"));
  EXPECT_THAT(lines(watched.said), Contains("broken row: round_trip/channel:broken"));
}

TEST(Watchdog, lets_slow_work_go_on_while_it_makes_progress) {
  const auto work = [](bench::Progress& progress) {
    for (int row = 0; row < 10; ++row) {
      progress.begin("slow");
      std::this_thread::sleep_for(500ms);
      progress.end(false);
    }
    return 0;
  };
  EXPECT_EQ(watch(work, 4s).code, 0);
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
    const auto work = [&](auto&) {
      if (::fork() == 0) {  // a grandchild that nobody waits for, and that holds the pipe open
        for (;;) ::pause();
      }
      while (hangs) ::pause();
      return 0;
    };
    watch(work, hangs ? 4s : 60s);
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

}  // namespace
