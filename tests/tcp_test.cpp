// What a port of 127.0.0.1 adds to a stream: anybody may connect to it.
#include "ipc/channels/tcp.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;

constexpr std::size_t buffer_bytes = std::size_t{64} << 10;

sockaddr_in address_of(const ipc::Fd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ipc::check("getsockname", [&] {
    return ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  });
  return address;
}

// Connects to the listener, as any process of the machine may.
ipc::Fd connect_stranger(const ipc::Fd& listener) {
  const sockaddr_in address = address_of(listener);
  ipc::Fd stranger(
      ipc::check("socket", [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
  ipc::check("connect", [&] {
    return ::connect(stranger.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  return stranger;
}

// It was shown the door: its connection has ended and it got nothing.
void expect_dropped(const ipc::Fd& stranger) {
  ASSERT_TRUE(ipc::poll(stranger.get(), POLLIN, Deadline::in(std::chrono::seconds(10))));
  char byte = 0;
  EXPECT_LE(::recv(stranger.get(), &byte, sizeof byte, MSG_DONTWAIT), 0);
}

// What goes in at one end is what comes out at the other.
void expect_joined(const ipc::Tcp::Ends& ends) {
  std::array<char, 5> heard{};
  ASSERT_EQ(::send(ends.sender.get(), "hello", 5, MSG_NOSIGNAL), 5);
  ASSERT_EQ(::recv(ends.receiver.get(), heard.data(), heard.size(), MSG_WAITALL), 5);
  EXPECT_EQ(std::string(heard.data(), heard.size()), "hello");
}

TEST(Tcp, AStrangerWhoComesFirstAndSaysNothingIsDropped) {
  ipc::Fd listener = ipc::Tcp::listen(buffer_bytes);
  const ipc::Fd stranger = connect_stranger(listener);
  expect_joined(ipc::Tcp::meet(std::move(listener), buffer_bytes));
  expect_dropped(stranger);
}

TEST(Tcp, AStrangerWhoComesFirstWithAWrongTokenIsDropped) {
  for (const std::size_t guess_bytes : {1U, 16U, 1000U}) {
    ipc::Fd listener = ipc::Tcp::listen(buffer_bytes);
    const ipc::Fd stranger = connect_stranger(listener);
    const std::vector<char> guess(guess_bytes);
    ASSERT_GT(::send(stranger.get(), guess.data(), guess.size(), MSG_NOSIGNAL), 0);
    expect_joined(ipc::Tcp::meet(std::move(listener), buffer_bytes));
    expect_dropped(stranger);
  }
}

TEST(Tcp, AStrangerWhoHasLeftAgainIsNoHarm) {
  ipc::Fd listener = ipc::Tcp::listen(buffer_bytes);
  connect_stranger(listener).reset();
  expect_joined(ipc::Tcp::meet(std::move(listener), buffer_bytes));
}

TEST(Tcp, StrangersWhoFillTheBacklogOnlyDelay) {
  ipc::Fd listener = ipc::Tcp::listen(buffer_bytes);
  const ipc::Fd first = connect_stranger(listener);
  const ipc::Fd second = connect_stranger(listener);  // a backlog of 1 has room for 2
  expect_joined(ipc::Tcp::meet(std::move(listener), buffer_bytes));
  expect_dropped(first);
  expect_dropped(second);
}

TEST(Tcp, ThePortIsOfThisMachineAndIsClosedAtOnce) {
  ipc::Fd listener = ipc::Tcp::listen(buffer_bytes);
  const sockaddr_in address = address_of(listener);
  EXPECT_EQ(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
  const auto ends = ipc::Tcp::meet(std::move(listener), buffer_bytes);
  const ipc::Fd late(
      ipc::check("socket", [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
  EXPECT_EQ(::connect(late.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST(Tcp, ASenderLearnsOfTheEndAtItsNextSend) {
  auto ends = ipc::Tcp::open({});
  tests::send_number(ends.first, 0, 64);
  tests::expect_number(ends.second, 0, 64);
  { const auto gone = std::move(ends.second); }
  EXPECT_EQ(ends.first.send(tests::message(1, 64), Deadline::never()), Outcome::closed);
}

}  // namespace
