// PollableChannel: after a receive that has timed out, the descriptor is ready no later than a
// message or the end is there.
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::require;
using namespace std::chrono_literals;

std::vector<tests::ChannelCase> pollable_cases() {
  std::vector<tests::ChannelCase> cases = tests::channel_cases(ipc::all_channels());
  for (const auto& each : tests::channel_cases(tests::adapted_channels())) cases.push_back(each);
  std::erase_if(cases, [](const auto& each) { return !each.channel.pollable; });
  return cases;
}

class PollableTest : public testing::TestWithParam<tests::ChannelCase> {};

INSTANTIATE_TEST_SUITE_P(Every, PollableTest, testing::ValuesIn(pollable_cases()),
                         [](const auto& each) { return tests::name_of(each.param); });

// Receives without ever waiting inside the channel: poll(2) is the only place to sleep.
class PollingReceiver {
 public:
  explicit PollingReceiver(ipc::AnyReceiver& receiver) : receiver_(receiver) {}

  ipc::Received receive(ipc::Buffer buffer, Deadline deadline) {
    for (;;) {
      const auto received = receiver_.receive(buffer, Deadline::now());
      if (received.outcome != Outcome::timed_out) return received;
      require(ipc::poll(receiver_.descriptor(), POLLIN, deadline), "the descriptor is not ready");
    }
  }

 private:
  ipc::AnyReceiver& receiver_;
};

TEST_P(PollableTest, TheDescriptorWakesForEveryMessageAndForTheEnd) {
  constexpr std::uint64_t messages = 1000;
  const auto size_of = [](std::uint64_t number) { return 1 + tests::mix(number) % 4096; };
  auto [peer, receiver] = tests::connect_to_sender(
      GetParam().channel, GetParam().peer, {}, [=](ipc::AnySender& sender) {
        for (std::uint64_t i = 0; i < messages; ++i) {
          if (i % 100 == 0) std::this_thread::sleep_for(5ms);  // the receiver sleeps by now
          tests::send_number(sender, i, size_of(i));
        }
        std::this_thread::sleep_for(20ms);
      });
  PollingReceiver polling(*receiver);
  for (std::uint64_t i = 0; i < messages; ++i) {
    tests::expect_number(polling, i, size_of(i), Deadline::in(10s));
  }
  tests::expect_closed(polling, Deadline::in(10s));
  EXPECT_EQ(peer.join(), "");
}

// Where nothing is there the descriptor does not go on saying that it is.
TEST_P(PollableTest, AnIdleReceiverSleeps) {
  auto ends = GetParam().channel.open({});
  tests::send_number(ends.first, 0, 100);
  tests::expect_number(ends.second, 0, 100);
  std::vector<std::byte> buffer(4096);
  bool sleeps = false;
  for (int i = 0; i < 100 && !sleeps; ++i) {
    ASSERT_EQ(ends.second.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
    sleeps = !ipc::poll(ends.second.descriptor(), POLLIN, Deadline::in(20ms));
  }
  EXPECT_TRUE(sleeps);
}

TEST_P(PollableTest, TheDescriptorBelongsToTheEnd) {
  auto ends = GetParam().channel.open({});
  const int descriptor = ends.second.descriptor();
  EXPECT_GE(descriptor, 0);
  EXPECT_EQ(ends.second.descriptor(), descriptor);
  tests::send_number(ends.first, 0, 100);
  tests::expect_number(ends.second, 0, 100);
  EXPECT_EQ(ends.second.descriptor(), descriptor);
}

TEST(NotPollable, IsRefusedByName) {
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    if (channel.pollable) continue;
    auto ends = channel.open({});
    EXPECT_THROW(static_cast<void>(ends.second.descriptor()), ipc::NotSupported) << channel.name;
  }
}

}  // namespace
