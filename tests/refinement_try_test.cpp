// TryChannel: with Deadline::now() an end does not wait, not even for a peer that was stopped or
// killed in the middle of its work.
#include <chrono>
#include <csignal>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using namespace std::chrono_literals;

std::vector<ipc::AnyChannel> channels_that_try() {
  std::vector<ipc::AnyChannel> channels = tests::between_processes(ipc::all_channels());
  for (const ipc::AnyChannel& each : tests::adapted_channels()) channels.push_back(each);
  std::erase_if(channels, [](const auto& each) { return !each.traits.tries_without_waiting; });
  return channels;
}

class TryTest : public testing::TestWithParam<ipc::AnyChannel> {
 protected:
  using Ends = std::pair<ipc::AnySender, ipc::AnyReceiver>;

  // `busy` works at one end, and is stopped again and again at random moments, then killed; all the
  // while `tries` runs at the other end, in a process that can be given up.
  template <class Busy, class Tries>
  static void while_the_peer_is_stopped(std::size_t size, Busy busy, Tries tries) {
    std::optional ends(GetParam().open({.message_bytes = size}));
    ipc::Process peer([&] {
      busy(std::move(*ends));
      return 0;
    });
    ipc::Process tester([&] {
      Ends own = std::move(*ends);
      constexpr int rounds = 60;
      std::mt19937 random(20250103);
      for (int round = 0; round < rounds; ++round) {
        const auto until = Deadline::in(std::chrono::microseconds(random() % 1000));
        while (!until.expired()) tries(own);  // it is at work
        peer.kill(round == rounds - 1 ? SIGKILL : SIGSTOP);
        std::this_thread::sleep_for(200us);  // it has been hit
        for (int i = 0; i < 50; ++i) tries(own);
        peer.kill(SIGCONT);
      }
      return 0;
    });
    ends.reset();
    const auto status = tester.join(Deadline::in(50s));
    ASSERT_TRUE(status.has_value()) << "it waits for the one who was stopped or killed";
    ASSERT_TRUE(status->success()) << status->text();
  }

  // Sends without a pause, from a process.
  static void against_a_sender(std::size_t size) {
    while_the_peer_is_stopped(
        size,
        [size](Ends ends) {
          const auto message = tests::message(0, size);
          while (ends.first.send(message, Deadline::now()) != Outcome::closed) {
          }
        },
        [buffer = std::vector<std::byte>(size)](auto& ends) mutable {
          ends.second.receive(buffer, Deadline::now());
        });
  }
  static void against_a_receiver(std::size_t size) {
    while_the_peer_is_stopped(
        size,
        [size](Ends ends) {
          std::vector<std::byte> buffer(size);
          while (ends.second.receive(buffer, Deadline::now()).outcome != Outcome::closed) {
          }
        },
        [message = tests::message(0, size)](auto& ends) {
          ends.first.send(message, Deadline::now());
        });
  }
  static std::size_t large_bytes() {
    return std::min(GetParam().traits.message_bytes_max, std::size_t{64} << 10);
  }
};

INSTANTIATE_TEST_SUITE_P(Every, TryTest, testing::ValuesIn(channels_that_try()),
                         [](const auto& each) { return tests::case_name(each.param.name); });

TEST_P(TryTest, ReceiveDoesNotWaitForASenderThatIsStopped) {
  against_a_sender(48);
  against_a_sender(large_bytes());
}
TEST_P(TryTest, SendDoesNotWaitForAReceiverThatIsStopped) {
  against_a_receiver(48);
  against_a_receiver(large_bytes());
}

}  // namespace
