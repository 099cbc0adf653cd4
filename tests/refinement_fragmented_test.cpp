// Fragmented<C>: what the contract's suite, which runs over it too, does not ask: many senders
// whose fragments come interleaved, senders that stop in the middle, fragments that cannot be.
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/adapters/fragmented.hpp"
#include "ipc/channels/shm_mutex.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Fragment;
using ipc::Outcome;
using tests::require;
using namespace std::chrono_literals;

using Sender = ipc::FragmentedSender<ipc::AnySender>;
using Receiver = ipc::FragmentedReceiver<ipc::AnyReceiver>;

constexpr std::size_t message_bytes = 5000;
constexpr std::size_t payload_bytes = 240;
constexpr std::size_t fragment_bytes = sizeof(Fragment) + payload_bytes;

ipc::AnyChannel channel_named(std::string_view name) {
  for (const ipc::AnyChannel& each : ipc::all_channels()) {
    if (each.name == name) return each;
  }
  throw std::invalid_argument("no channel is called " + std::string(name));
}

// Both ends over `channel`, cut into many pieces.
std::pair<Sender, Receiver> open(const ipc::AnyChannel& channel) {
  auto ends = channel.open({.message_bytes = fragment_bytes});
  return {Sender(std::move(ends.first), message_bytes, fragment_bytes),
          Receiver(std::move(ends.second), message_bytes, fragment_bytes)};
}

// Message `number` of `sender`, and who and which it is in front.
std::vector<std::byte> message_of(std::uint64_t sender, std::uint64_t number) {
  auto message = tests::message(sender * 1000 + number, message_bytes);
  std::memcpy(message.data(), &sender, sizeof sender);
  std::memcpy(message.data() + sizeof sender, &number, sizeof number);
  return message;
}

void send_all(Sender& sender, std::uint64_t which, std::uint64_t messages) {
  for (std::uint64_t number = 0; number < messages; ++number) {
    require(sender.send(message_of(which, number), Deadline::in(10s)) == Outcome::done,
            "a message was not sent");
  }
}

// Receives to the end. Returns how many messages of each sender came, whole and in order.
std::map<std::uint64_t, std::uint64_t> receive_all(Receiver& receiver) {
  std::map<std::uint64_t, std::uint64_t> next;
  std::vector<std::byte> buffer(message_bytes);
  while (receiver.receive(buffer, Deadline::in(10s)).outcome == Outcome::done) {
    std::uint64_t sender = 0;
    std::memcpy(&sender, buffer.data(), sizeof sender);
    require(buffer == message_of(sender, next[sender]), "a message is torn or out of order");
    ++next[sender];
  }
  return next;
}

class FragmentedSendersTest : public testing::TestWithParam<ipc::AnyChannel> {};

std::vector<ipc::AnyChannel> channels_with_many_senders() {
  std::vector<ipc::AnyChannel> channels = tests::between_processes(ipc::all_channels());
  std::erase_if(channels, [](const auto& each) { return each.traits.senders != ipc::Arity::many; });
  return channels;
}

INSTANTIATE_TEST_SUITE_P(Every, FragmentedSendersTest,
                         testing::ValuesIn(channels_with_many_senders()),
                         [](const auto& each) { return tests::case_name(each.param.name); });

TEST_P(FragmentedSendersTest, FragmentsOfManyMayComeInterleaved) {
  constexpr std::uint64_t senders = 3;
  constexpr std::uint64_t messages = 50;
  auto ends = open(GetParam());
  const auto receiver = tests::shared(std::move(ends.second));
  const auto first = tests::shared(std::move(ends.first));
  std::vector<tests::Peer> peers;
  for (std::uint64_t which = 0; which < senders; ++which) {
    peers.emplace_back(tests::PeerKind::process, [=] {
      receiver->reset();
      Sender mine = (*first)->clone();
      first->reset();
      send_all(mine, which, messages);
    });
  }
  first->reset();
  const auto got = receive_all(**receiver);
  for (std::uint64_t which = 0; which < senders; ++which) {
    EXPECT_EQ(peers[which].join(), "");
    EXPECT_EQ(got.count(which) == 1 ? got.at(which) : 0, messages);
  }
}

TEST_P(FragmentedSendersTest, OneThatIsKilledHarmsNoOther) {
  if (!GetParam().traits.waiter_may_be_killed) {
    GTEST_SKIP() << "the mechanism itself is lost with a sender that is killed in it";
  }
  constexpr std::uint64_t messages = 50;
  auto ends = open(GetParam());
  const auto receiver = tests::shared(std::move(ends.second));
  const auto first = tests::shared(std::move(ends.first));
  const auto start = [&](std::uint64_t which, std::uint64_t count) {
    return tests::Peer(tests::PeerKind::process, [=] {
      receiver->reset();
      Sender mine = (*first)->clone();
      first->reset();
      send_all(mine, which, count);
    });
  };
  tests::Peer victim = start(0, UINT64_MAX);
  tests::Peer survivor = start(1, messages);
  first->reset();
  std::jthread killer([&] {
    std::this_thread::sleep_for(5ms);
    victim.kill();
  });
  const auto got = receive_all(**receiver);
  EXPECT_EQ(survivor.join(), "");
  EXPECT_EQ(got.count(1) == 1 ? got.at(1) : 0, messages);
}

// A copy that fork makes sends under a name of its own.
TEST(FragmentedTest, ForkedCopiesAreTwoSenders) {
  constexpr std::uint64_t messages = 200;
  auto ends = open(channel_named("posix_queue"));
  std::vector<std::byte> buffer(message_bytes);
  tests::Peer reader(tests::PeerKind::process, [&] {
    { const auto gone = std::move(ends.first); }
    auto got = receive_all(ends.second);
    require(got[0] == 1 && got[1] == messages && got[2] == messages, "messages are missing");
  });
  { const auto gone = std::move(ends.second); }
  send_all(ends.first, 0, 1);  // it has a name from now on
  tests::Peer copy(tests::PeerKind::process, [&] { send_all(ends.first, 1, messages); });
  send_all(ends.first, 2, messages);
  EXPECT_EQ(copy.join(), "");
  { const auto gone = std::move(ends.first); }
  EXPECT_EQ(reader.join(), "");
}

// A peer that sends whatever it likes.
class HostileFragmentsTest : public testing::Test {
 protected:
  HostileFragmentsTest()
      : ends_(channel_named("shm_mutex").open({.message_bytes = fragment_bytes})),
        receiver_(std::move(ends_.second), message_bytes, fragment_bytes) {}

  void send(const Fragment& header, std::size_t payload) {
    std::vector<std::byte> fragment(sizeof header + payload);
    std::memcpy(fragment.data(), &header, sizeof header);
    require(ends_.first.send(fragment, Deadline::in(10s)) == Outcome::done, "not sent");
  }
  Outcome receive() { return receiver_.receive(buffer_, Deadline::now()).outcome; }

  std::pair<ipc::AnySender, ipc::AnyReceiver> ends_;
  Receiver receiver_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(message_bytes);
};

TEST_F(HostileFragmentsTest, WhatCannotBeIsRefusedAndTheNextMessageArrives) {
  struct Case {
    const char* what;
    Fragment header;
    std::size_t payload;
  };
  const Case cases[] = {
      {"no payload", {1, 10, 0}, 0},
      {"longer than any message", {1, message_bytes + 1, 0}, 10},
      {"no message at all", {1, 0, 0}, 10},
      {"more than its message", {1, 10, 0}, 11},
      {"the middle of nothing", {1, 100, 50}, 10},
      {"a gap", {2, 100, 20}, 10},
      {"twice the same", {2, 100, 5}, 10},
      {"of another length", {2, 99, 10}, 10},
      {"beyond its end", {2, 100, 10}, 91},
      {"far beyond its end", {2, 100, UINT32_MAX - 5}, 10},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    send({2, 100, 0}, 10);  // a message that is not finished yet
    send(each.header, each.payload);
    EXPECT_THROW(receive(), std::runtime_error);
    EXPECT_EQ(receive(), Outcome::timed_out);
    send({3, 10, 0}, 10);
    EXPECT_EQ(receive(), Outcome::done);
  }
  // Shorter than its own header.
  const std::vector<std::byte> stub(sizeof(Fragment) - 1);
  require(ends_.first.send(stub, Deadline::now()) == Outcome::done, "not sent");
  EXPECT_THROW(receive(), std::runtime_error);
}

TEST_F(HostileFragmentsTest, WhatIsBegunTakesBoundedMemory) {
  constexpr std::size_t begun = 5 * Receiver::unfinished_max;
  for (std::size_t sender = 1; sender <= begun; ++sender) {
    send({sender, 20, 0}, 10);
    EXPECT_EQ(receive(), Outcome::timed_out);
  }
  std::size_t finished = 0;
  for (std::size_t sender = begun; sender >= 1; --sender) {
    send({sender, 20, 10}, 10);
    try {
      if (receive() == Outcome::done) ++finished;
    } catch (const std::runtime_error&) {
      continue;  // was dropped, and is told
    }
  }
  EXPECT_EQ(finished, Receiver::unfinished_max);
}

TEST(FragmentedTest, AReceiverWithHalfAMessageIsNotPacked) {
  auto ends = ipc::ShmMutex::open({.message_bytes = fragment_bytes});
  ipc::FragmentedReceiver receiver(std::move(ends.second), message_bytes, fragment_bytes);
  std::vector<std::byte> buffer(message_bytes);
  std::vector<std::byte> fragment(fragment_bytes);
  const Fragment header{.sender = 1, .message_bytes = message_bytes, .offset = 0};
  std::memcpy(fragment.data(), &header, sizeof header);
  ASSERT_EQ(ends.first.send(fragment, Deadline::now()), Outcome::done);
  EXPECT_EQ(receiver.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
  ipc::Parcel parcel;
  EXPECT_THROW(std::move(receiver).pack(parcel), std::logic_error);
}

}  // namespace
