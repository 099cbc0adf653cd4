// What memfd promises beyond the contract: whose memory a receiver accepts, and messages without a
// copy.
#include "ipc/channels/memfd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "ipc/passed_descriptors.hpp"
#include "ipc/socket_pair.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Fd;
using ipc::Memfd;
using ipc::Outcome;
using tests::expect_number;
using tests::send_number;
using namespace std::chrono_literals;

// A receiver whose peer is not our Sender.
struct Hostile {
  Hostile() {
    auto pair = ipc::SocketPair::open(SOCK_SEQPACKET, 4096);
    socket = std::move(pair.sender);
    ipc::Parcel parcel;
    parcel.put(std::move(pair.receiver));
    parcel.put(std::size_t{100});  // the longest message
    receiver.emplace(parcel);
  }

  void pass(const Fd& fd) const {
    const std::array letter{std::byte{0}};
    ASSERT_EQ(ipc::send_with_descriptors(socket, letter, {&fd, 1}, 0), 1);
  }

  // Why it was refused; empty when it was not.
  std::string refusal() {
    std::array<std::byte, 100> buffer{};
    try {
      receiver->receive(buffer, Deadline::in(10s));
      return "";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  Fd socket;
  std::optional<Memfd::Receiver> receiver;
};

Fd memory(std::size_t bytes, int seals) {
  Fd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const auto content = tests::message(7, bytes);
  EXPECT_EQ(::write(fd.get(), content.data(), content.size()), static_cast<ssize_t>(bytes));
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

TEST(MemfdTest, MemoryThatIsNotSealedIsRefusedByName) {
  Hostile hostile;
  for (const int missing : {F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL, all_seals}) {
    hostile.pass(memory(100, all_seals & ~missing));
    EXPECT_NE(hostile.refusal().find("not sealed"), std::string::npos) << missing;
  }
  hostile.pass(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  EXPECT_NE(hostile.refusal().find("not sealed"), std::string::npos);
  hostile.pass(memory(100, all_seals));  // and the channel works on
  expect_number(*hostile.receiver, 7, 100, Deadline::in(10s));
}

TEST(MemfdTest, MemoryOfAnotherSizeThanAMessageIsRefused) {
  Hostile hostile;
  hostile.pass(memory(101, all_seals));
  EXPECT_NE(hostile.refusal().find("101"), std::string::npos);
  hostile.pass(memory(0, all_seals));
  EXPECT_NE(hostile.refusal().find("0 bytes"), std::string::npos);
  const std::array letter{std::byte{0}};
  ASSERT_EQ(::send(hostile.socket.get(), letter.data(), letter.size(), 0), 1);
  EXPECT_NE(hostile.refusal().find("no memory"), std::string::npos);
}

TEST(MemfdTest, ALoanIsReadWhereItWasWritten) {
  constexpr std::size_t bytes = 100'000;
  auto [sender, receiver] = Memfd::open({.message_bytes = bytes});
  for (std::uint64_t i = 0; i < 10; ++i) {
    const ipc::Loan loan = sender.loan(bytes - i, Deadline::in(10s));
    ASSERT_EQ(loan.outcome, Outcome::done);
    ASSERT_EQ(loan.room.size(), bytes - i);
    tests::fill(loan.room, i);
    ASSERT_EQ(sender.commit(), Outcome::done);
    const ipc::Borrowed borrowed = receiver.borrow(Deadline::in(10s));
    ASSERT_EQ(borrowed.outcome, Outcome::done);
    ASSERT_EQ(borrowed.message.size(), bytes - i);
    EXPECT_TRUE(tests::matches(borrowed.message, i));
    EXPECT_EQ(receiver.borrow(Deadline::now()).message.data(), borrowed.message.data());
    if (i % 2 == 0) {
      receiver.release();
    } else {
      expect_number(receiver, i, bytes - i);
    }
  }
}

TEST(MemfdTest, ALoanThatWasNotCommittedWasNotSent) {
  auto [sender, receiver] = Memfd::open({.message_bytes = 100});
  tests::fill(sender.loan(100, Deadline::now()).room, 1);
  tests::fill(sender.loan(50, Deadline::now()).room, 2);
  send_number(sender, 3, 100);
  expect_number(receiver, 3, 100);
  std::array<std::byte, 100> buffer{};
  EXPECT_EQ(receiver.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
}

TEST(MemfdTest, ALoanWaitsForRoom) {
  auto [sender, receiver] =
      Memfd::open({.message_bytes = 100, .capacity = {.bytes = 100, .messages = 1}});
  for (std::size_t i = 0; i < sender.capacity().messages; ++i) send_number(sender, i, 100);
  EXPECT_EQ(sender.loan(100, Deadline::in(20ms)).outcome, Outcome::timed_out);
  expect_number(receiver, 0, 100);
  EXPECT_EQ(sender.loan(100, Deadline::in(10s)).outcome, Outcome::done);
  EXPECT_EQ(sender.commit(), Outcome::done);
}

}  // namespace
