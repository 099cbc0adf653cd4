// What udp promises beyond the contract: what is dropped is sent again, and strangers are not
// heard.
#include "ipc/channels/udp.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/channel_peers.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using ipc::Udp;
using tests::expect_closed;
using tests::expect_number;
using tests::PeerKind;
using tests::send_number;
using namespace std::chrono_literals;

constexpr std::size_t bytes = 48;

// Loses one datagram of so many, at random.
Udp::Faults losing_one_of(std::uint64_t count) {
  return {.loses = [count](std::uint64_t number) { return tests::mix(number) % count == 0; }};
}

TEST(UdpTest, WhatIsLostIsSentAgain) {
  struct Case {
    std::uint64_t one_of;
    std::uint64_t messages;
  };
  for (const PeerKind kind : {PeerKind::thread, PeerKind::process}) {
    // To mend every third takes longer than a sender that goes waits for one answer.
    for (const auto [one_of, messages] : {Case{3, 200}, Case{5, 500}, Case{100, 500}}) {
      auto ends = Udp::open({.message_bytes = bytes}, losing_one_of(one_of));
      auto [peer, sender] = tests::connect(kind, std::move(ends.first), std::move(ends.second),
                                           [count = messages](auto& receiver) {
                                             for (std::uint64_t i = 0; i < count; ++i)
                                               expect_number(receiver, i, bytes);
                                             expect_closed(receiver);
                                           });
      for (std::uint64_t i = 0; i < messages; ++i) send_number(*sender, i, bytes);
      sender.reset();
      EXPECT_EQ(peer.join(), "") << "one lost of " << one_of;
    }
  }
}

// The last ones are not followed by others that would show the gap.
TEST(UdpTest, ALossAtTheEndIsMendedWhenTheSenderGoes) {
  constexpr std::uint64_t messages = 3;
  // The last message; the first question; the message that ends the stream.
  for (const std::uint64_t lost : {messages - 1, messages, messages + 1}) {
    auto ends = Udp::open({.message_bytes = bytes},
                          {.loses = [lost](std::uint64_t number) { return number == lost; }});
    auto [peer, sender] = tests::connect(PeerKind::thread, std::move(ends.first),
                                         std::move(ends.second), [](auto& receiver) {
                                           for (std::uint64_t i = 0; i < messages; ++i)
                                             expect_number(receiver, i, bytes);
                                           expect_closed(receiver);
                                         });
    for (std::uint64_t i = 0; i < messages; ++i) send_number(*sender, i, bytes);
    sender.reset();
    EXPECT_EQ(peer.join(), "") << "datagram " << lost << " lost";
  }
}

// That the tests above can fail: without sending again the sender comes to a halt, and the receiver
// is not given what came after the gap.
TEST(UdpTest, WithoutSendingAgainTheLossIsTold) {
  Udp::Faults faults{.loses = [](std::uint64_t number) { return number == 9; }};
  faults.sends_again = false;
  auto ends = Udp::open({.message_bytes = bytes}, faults);
  std::optional sender(std::move(ends.first));
  Outcome outcome = Outcome::done;
  for (std::uint64_t i = 0; outcome == Outcome::done; ++i) {
    outcome = sender->send(tests::message(i, bytes), Deadline::in(50ms));
  }
  EXPECT_EQ(outcome, Outcome::timed_out);
  sender.reset();
  for (std::uint64_t i = 0; i < 9; ++i) expect_number(ends.second, i, bytes);
  std::array<std::byte, bytes> buffer{};
  EXPECT_THROW(ends.second.receive(buffer, Deadline::in(10s)), std::runtime_error);
  EXPECT_EQ(ends.second.receive(buffer, Deadline::in(10s)).outcome, Outcome::closed);
}

TEST(UdpTest, AFullWindowIsNotMoreThanTheKernelHolds) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{700}, std::size_t{9000}, std::size_t{60000}}) {
    auto [sender, receiver] = Udp::open({.message_bytes = size});
    for (int round = 0; round < 3; ++round) {
      std::uint64_t sent = 0;
      while (sender.send(tests::message(sent, size), Deadline::now()) == Outcome::done) ++sent;
      // What is acknowledged with the next quarter only is not free yet.
      EXPECT_GE(sent, sender.capacity().messages - sender.capacity().messages / 4);
      EXPECT_LE(sent, sender.capacity().messages);
      // Nobody sends again meanwhile: what is there was never dropped.
      for (std::uint64_t i = 0; i < sent; ++i) expect_number(receiver, i, size, Deadline::now());
    }
  }
}

std::vector<int> open_sockets() {
  std::vector<int> sockets;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the descriptor of the listing itself
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.starts_with("socket:")) sockets.push_back(std::stoi(entry.path().filename()));
  }
  return sockets;
}

TEST(UdpTest, DatagramsOfStrangersAreIgnored) {
  const std::vector<int> before = open_sockets();
  auto [sender, receiver] = Udp::open({.message_bytes = bytes});
  const auto disturb = [&] {
    for (const int socket : open_sockets()) {
      if (std::find(before.begin(), before.end(), socket) != before.end()) continue;
      // From the right address, as only the superuser can forge it, but without the token.
      const std::array<std::byte, 100> forged{};
      for (const std::size_t size : {std::size_t{0}, std::size_t{3}, forged.size()}) {
        ::send(socket, forged.data(), size, MSG_NOSIGNAL);
      }
    }
  };
  for (std::uint64_t i = 0; i < 500; ++i) {
    disturb();
    send_number(sender, i, bytes);
    expect_number(receiver, i, bytes);
  }
}

}  // namespace
