// Channels under load: many ends, many messages, every one counted and checked.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/mapping.hpp"
#include "ipc/waits.hpp"
#include "tests/channel_cases.hpp"
#include "tests/channel_peers.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Arity;
using ipc::Deadline;
using ipc::Outcome;
using tests::expect_closed;
using tests::require;

class ChannelVolumeTest : public testing::TestWithParam<tests::ChannelCase> {
 protected:
  [[nodiscard]] static const ipc::AnyChannel& channel() { return GetParam().channel; }
  [[nodiscard]] static const ipc::Traits& traits() { return channel().traits; }
};

INSTANTIATE_TEST_SUITE_P(Every, ChannelVolumeTest,
                         testing::ValuesIn(tests::channel_cases(ipc::all_channels())),
                         [](const auto& each) { return tests::name_of(each.param); });
INSTANTIATE_TEST_SUITE_P(Adapted, ChannelVolumeTest,
                         testing::ValuesIn(tests::channel_cases(ipc::composed_channels())),
                         [](const auto& each) { return tests::name_of(each.param); });

// A message of a fan-in: who sent it, and which one it is.
struct Tagged {
  std::uint64_t sender;
  std::uint64_t number;
  std::uint64_t check;
};

TEST_P(ChannelVolumeTest, ManySendersAndManyReceiversLoseNothingAndKeepEachSendersOrder) {
  const std::uint64_t senders = traits().senders == Arity::many ? 4 : 1;
  const std::uint64_t receivers = traits().receivers == Arity::many ? 3 : 1;
  constexpr std::uint64_t messages = 3000;
  const tests::PeerKind kind = GetParam().peer;
  // Counts what arrived, of every sender and number, over all receivers.
  const ipc::Mapping seen = ipc::Mapping::create(senders * messages);
  auto* const count = reinterpret_cast<std::atomic<std::uint8_t>*>(seen.data());

  auto ends = channel().open({.message_bytes = sizeof(Tagged)});
  std::vector<std::shared_ptr<std::unique_ptr<ipc::AnySender>>> sender_ends;
  std::vector<std::shared_ptr<std::unique_ptr<ipc::AnyReceiver>>> receiver_ends;
  for (std::uint64_t i = 1; i < senders; ++i) {
    sender_ends.push_back(tests::shared(ends.first.clone()));
  }
  for (std::uint64_t i = 1; i < receivers; ++i) {
    receiver_ends.push_back(tests::shared(ends.second.clone()));
  }
  sender_ends.push_back(tests::shared(std::move(ends.first)));
  receiver_ends.push_back(tests::shared(std::move(ends.second)));

  // A process inherits every end and keeps one.
  const auto keep = [kind, sender_ends, receiver_ends](const void* mine) {
    if (kind != tests::PeerKind::process) return;
    for (const auto& end : sender_ends)
      if (end.get() != mine) end->reset();
    for (const auto& end : receiver_ends)
      if (end.get() != mine) end->reset();
  };
  std::vector<tests::Peer> peers;
  for (std::uint64_t i = 0; i < senders; ++i) {
    peers.emplace_back(kind, [keep, i, end = sender_ends[i]] {
      keep(end.get());
      for (std::uint64_t number = 0; number < messages; ++number) {
        const Tagged tagged{i, number, tests::mix(i * messages + number)};
        require(
            (*end)->send(std::as_bytes(std::span(&tagged, 1)), Deadline::never()) == Outcome::done,
            "a message was not sent");
      }
      end->reset();
    });
  }
  for (std::uint64_t i = 0; i < receivers; ++i) {
    peers.emplace_back(kind, [keep, count, senders, end = receiver_ends[i]] {
      keep(end.get());
      std::map<std::uint64_t, std::uint64_t> next;  // by sender: the least number still possible
      Tagged tagged{};
      while ((*end)
                 ->receive(std::as_writable_bytes(std::span(&tagged, 1)), Deadline::never())
                 .outcome == Outcome::done) {
        require(tagged.sender < senders && tagged.number < messages &&
                    tagged.check == tests::mix(tagged.sender * messages + tagged.number),
                "a message is torn");
        require(tagged.number >= next[tagged.sender], "messages of one sender changed places");
        next[tagged.sender] = tagged.number + 1;
        count[tagged.sender * messages + tagged.number].fetch_add(1);
      }
      end->reset();
    });
  }
  keep(nullptr);
  for (auto& peer : peers) EXPECT_EQ(peer.join(), "");
  EXPECT_EQ(std::count(count, count + senders * messages, 1), senders * messages);
}

// All of them asleep, and no room for more than one message or mark.
TEST_P(ChannelVolumeTest, TheEndWakesEveryReceiverThatWaits) {
  if (traits().receivers == Arity::one) {
    EXPECT_THROW(static_cast<void>(channel().open({}).second.clone()), ipc::NotSupported);
    return;
  }
  for (int round = 0; round < 5; ++round) {
    auto ends = channel().open({.message_bytes = 8, .capacity = {.bytes = 8, .messages = 1}});
    std::vector<tests::Peer> peers;
    for (int i = 0; i < 3; ++i) {
      peers.emplace_back(
          tests::PeerKind::thread, [end = std::make_shared<ipc::AnyReceiver>(ends.second.clone())] {
            std::array<std::byte, 8> buffer{};
            while (end->receive(buffer, Deadline::never()).outcome == Outcome::done) {
            }
          });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::array<std::byte, 8> message{};
    require(ends.first.send(message, Deadline::never()) == Outcome::done, "not sent");
    { const auto gone = std::move(ends.first); }
    for (auto& peer : peers) EXPECT_EQ(peer.join(), "");
  }
}

TEST_P(ChannelVolumeTest, TheLastReceiverFreesEverySenderThatWaits) {
  if (traits().senders == Arity::one) {
    EXPECT_THROW(static_cast<void>(channel().open({}).first.clone()), ipc::NotSupported);
    return;
  }
  for (int round = 0; round < 5; ++round) {
    auto ends = channel().open({.message_bytes = 8, .capacity = {.bytes = 8, .messages = 1}});
    std::vector<tests::Peer> peers;
    for (int i = 0; i < 4; ++i) {
      peers.emplace_back(tests::PeerKind::thread,
                         [end = std::make_shared<ipc::AnySender>(ends.first.clone())] {
                           const std::array<std::byte, 8> message{};
                           while (end->send(message, Deadline::never()) == Outcome::done) {
                           }
                         });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    { const auto gone = std::move(ends.second); }
    for (auto& peer : peers) EXPECT_EQ(peer.join(), "");
  }
}

TEST_P(ChannelVolumeTest, AVolumeOfMessagesArrivesWhole) {
  // Checked by number and content. Mechanisms that may make a system call for every message get a
  // tenth, and so do builds that are not optimised.
  const bool calls = !traits().spins && traits().wait != ipc::Adaptive::name;
#ifdef NDEBUG
  const std::uint64_t messages = calls ? 1'000'000 : 10'000'000;
#else
  const std::uint64_t messages = calls ? 50'000 : 500'000;
#endif
  using Message = std::array<std::uint64_t, 4>;
  const auto make = [](std::uint64_t number) {
    const std::uint64_t word = tests::mix(number);
    return Message{number, word, ~word, word + number};
  };
  auto [peer, sender] = tests::connect_to_receiver(
      channel(), GetParam().peer, {.message_bytes = sizeof(Message)}, [=](auto& receiver) {
        Message got{};
        for (std::uint64_t i = 0; i < messages; ++i) {
          const auto received =
              receiver.receive(std::as_writable_bytes(std::span(got)), Deadline::never());
          require(received == ipc::Received{Outcome::done, sizeof got}, "a message is missing");
          require(got == make(i), "message " + std::to_string(i) + " is not what was sent");
        }
        expect_closed(receiver);
      });
  for (std::uint64_t i = 0; i < messages; ++i) {
    const Message next = make(i);
    ASSERT_EQ(sender->send(std::as_bytes(std::span(next)), Deadline::never()), Outcome::done);
  }
  sender.reset();
  EXPECT_EQ(peer.join(), "");
}

}  // namespace
