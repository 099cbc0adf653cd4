// The contract of ipc/channel.hpp: every clause, over every channel, between threads and between
// processes. The deadlock guard is the time limit of ctest.
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/parcel.hpp"
#include "tests/channel_cases.hpp"
#include "tests/channel_peers.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Arity;
using ipc::Deadline;
using ipc::Options;
using ipc::Outcome;
using tests::expect_closed;
using tests::expect_number;
using tests::require;
using tests::send_number;
using namespace std::chrono_literals;

// What every mechanism carries.
constexpr std::size_t small_bytes = 48;

class ChannelTest : public testing::TestWithParam<tests::ChannelCase> {
 protected:
  [[nodiscard]] static const ipc::AnyChannel& channel() { return GetParam().channel; }
  [[nodiscard]] static const ipc::Traits& traits() { return channel().traits; }
  // What only some of them carry.
  [[nodiscard]] static std::size_t large_bytes() { return most(std::size_t{64} << 10); }
  [[nodiscard]] static std::size_t most(std::size_t bytes) {
    return std::min(traits().message_bytes_max, bytes);
  }

  template <class Main>
  auto to_receiver(const Options& options, Main main) {
    return tests::connect_to_receiver(channel(), GetParam().peer, options, main);
  }
  template <class Main>
  auto to_sender(const Options& options, Main main) {
    return tests::connect_to_sender(channel(), GetParam().peer, options, main);
  }

  // Sends without waiting until there is no room; returns how many messages went in.
  static std::uint64_t fill_up(ipc::AnySender& sender, std::size_t size) {
    std::uint64_t sent = 0;
    while (sender.send(tests::message(sent, size), Deadline::now()) == Outcome::done) ++sent;
    return sent;
  }
};

INSTANTIATE_TEST_SUITE_P(Every, ChannelTest,
                         testing::ValuesIn(tests::channel_cases(ipc::all_channels())),
                         [](const auto& each) { return tests::name_of(each.param); });
INSTANTIATE_TEST_SUITE_P(Adapted, ChannelTest,
                         testing::ValuesIn(tests::channel_cases(tests::adapted_channels())),
                         [](const auto& each) { return tests::name_of(each.param); });

TEST_P(ChannelTest, MessagesArriveInOrderAndKeepTheirBorders) {
  const std::size_t longest = large_bytes();
  constexpr std::uint64_t messages = 500;
  const auto size_of = [=](std::uint64_t number) { return 1 + tests::mix(number) % longest; };
  auto [peer, sender] = to_receiver({.message_bytes = longest}, [=](auto& receiver) {
    for (std::uint64_t i = 0; i < messages; ++i) expect_number(receiver, i, size_of(i));
    expect_closed(receiver);
  });
  for (std::uint64_t i = 0; i < messages; ++i) send_number(*sender, i, size_of(i));
  sender.reset();
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, ThePeerMaySend) {
  auto [peer, receiver] = to_sender({}, [](auto& sender) {
    for (std::uint64_t i = 0; i < 2000; ++i) send_number(sender, i, small_bytes);
  });
  for (std::uint64_t i = 0; i < 2000; ++i) expect_number(*receiver, i, small_bytes);
  expect_closed(*receiver);
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, OneByteAndTheLongestAreMessages) {
  const std::size_t longest = most(std::size_t{1} << 20);
  auto [peer, sender] = to_receiver({.message_bytes = longest}, [=](auto& receiver) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      expect_number(receiver, i, i % 2 == 0 ? 1 : longest);
    }
  });
  for (std::uint64_t i = 0; i < 20; ++i) send_number(*sender, i, i % 2 == 0 ? 1 : longest);
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, ZeroBytesAreRefusedAndTheChannelWorksOn) {
  auto [peer, sender] = to_receiver({}, [](auto& receiver) {
    expect_number(receiver, 0, small_bytes);
    expect_closed(receiver);
  });
  EXPECT_THROW(sender->send({}, Deadline::never()), std::invalid_argument);
  send_number(*sender, 0, small_bytes);
  sender.reset();
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, ATooLongMessageIsRefusedByNameAndTheChannelWorksOn) {
  auto [peer, sender] = to_receiver({.message_bytes = 100}, [](auto& receiver) {
    expect_number(receiver, 0, 100);
    expect_closed(receiver);
  });
  try {
    sender->send(tests::message(0, 101), Deadline::never());
    ADD_FAILURE() << "101 bytes were taken";
  } catch (const std::length_error& error) {
    EXPECT_NE(std::string(error.what()).find("101"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("100"), std::string::npos) << error.what();
  }
  send_number(*sender, 0, 100);
  sender.reset();
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, OptionsBeyondTheMechanismAreRefusedByName) {
  const std::size_t too_much = traits().message_bytes_max + 1;
  try {
    channel().open({.message_bytes = too_much});
    ADD_FAILURE() << too_much << " bytes were accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find(std::to_string(too_much)), std::string::npos);
    EXPECT_NE(std::string(error.what()).find(channel().name), std::string::npos) << error.what();
  }
  EXPECT_THROW(channel().open({.message_bytes = 0}), std::invalid_argument);
}

TEST_P(ChannelTest, AMessageThatDoesNotFitTheBufferStays) {
  for (const std::size_t size : {small_bytes, large_bytes()}) {
    auto [peer, sender] = to_receiver({.message_bytes = size}, [=](auto& receiver) {
      std::vector<std::byte> short_one(size - 1);
      for (int attempt = 0; attempt < 2; ++attempt) {
        bool refused = false;
        try {
          receiver.receive(short_one, Deadline::never());
        } catch (const std::length_error&) {
          refused = true;
        }
        require(refused, "a buffer that is too small was accepted");
      }
      expect_number(receiver, 7, size);
      expect_number(receiver, 8, size);
    });
    send_number(*sender, 7, size);
    send_number(*sender, 8, size);
    EXPECT_EQ(peer.join(), "");
  }
}

TEST_P(ChannelTest, ReceiveGivesUpAtItsDeadlineAndNotBefore) {
  auto ends = channel().open({});
  std::vector<std::byte> buffer(4096);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(ends.second.receive(buffer, Deadline::in(30ms)).outcome, Outcome::timed_out);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
  EXPECT_EQ(ends.second.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
  send_number(ends.first, 1, small_bytes);
  expect_number(ends.second, 1, small_bytes, Deadline::in(10s));
}

TEST_P(ChannelTest, ASendThatTimedOutHasSentNothing) {
  for (const std::size_t size : {small_bytes, large_bytes()}) {
    auto ends = channel().open({.message_bytes = size});
    if (size > ends.first.capacity().bytes) continue;  // goes through only to one who receives
    std::uint64_t sent = fill_up(ends.first, size);
    ASSERT_GT(sent, 0U);
    auto start = std::chrono::steady_clock::now();
    Outcome outcome{};
    // The network stack acknowledges late, which makes room once more.
    while ((outcome = ends.first.send(tests::message(sent, size), Deadline::in(30ms))) ==
           Outcome::done) {
      ++sent;
      start = std::chrono::steady_clock::now();
    }
    EXPECT_EQ(outcome, Outcome::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
    for (std::uint64_t i = 0; i < sent; ++i) {
      // Make room, and use it: what was cut off must not turn up between the messages.
      expect_number(ends.second, i, size, Deadline::in(10s));
    }
    send_number(ends.first, sent, size, Deadline::in(10s));
    expect_number(ends.second, sent, size, Deadline::in(10s));
    std::vector<std::byte> buffer(size);
    EXPECT_EQ(ends.second.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
  }
}

// With hardly any room: a frame may then be cut anywhere.
TEST_P(ChannelTest, ASendThatTimedOutHasSentNothingInASmallRoomEither) {
  const std::size_t longest = most(8000);
  for (std::size_t size = 1; size <= longest; size += 233) {
    auto ends = channel().open({.message_bytes = longest, .capacity = {.bytes = 1, .messages = 1}});
    std::vector<std::byte> buffer(longest);
    std::uint64_t next = 0;
    for (std::uint64_t sent = 0, round = 0; round < 10; ++round) {
      while (ends.first.send(tests::message(sent, 1 + (sent * size) % longest), Deadline::now()) ==
             Outcome::done) {
        ++sent;
      }
      for (; next < sent; ++next) {
        expect_number(ends.second, next, 1 + (next * size) % longest, Deadline::in(10s));
      }
      // There is no more than what was sent; what was cut off is taken in and dropped.
      ASSERT_EQ(ends.second.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
    }
    EXPECT_GE(next, 1U);  // one that is longer than the room waits for somebody who reads
  }
}

TEST_P(ChannelTest, TheRoomThatIsToldIsThere) {
  auto ends = channel().open({.message_bytes = small_bytes});
  const auto capacity = ends.first.capacity();
  const std::uint64_t sent = fill_up(ends.first, small_bytes);
  if (capacity.messages > 0) {
    EXPECT_EQ(sent, capacity.messages);
  }
  // Sockets count what the kernel keeps about a message too, many times what a small one has.
  EXPECT_GE(sent * small_bytes, capacity.bytes / (capacity.messages > 0 ? 1000 : 32));
  EXPECT_LE(sent * small_bytes, capacity.bytes);
}

TEST_P(ChannelTest, WhenTheSendersAreGoneReceiversGetTheRestAndThenTheEnd) {
  constexpr std::uint64_t messages = 5;
  auto [peer, receiver] = to_sender({}, [](auto& sender) {
    for (std::uint64_t i = 0; i < messages; ++i) send_number(sender, i, small_bytes);
  });
  EXPECT_EQ(peer.join(), "");  // it has gone, orderly, before we look
  for (std::uint64_t i = 0; i < messages; ++i) expect_number(*receiver, i, small_bytes);
  expect_closed(*receiver);
  expect_closed(*receiver, Deadline::now());  // and it stays closed
}

TEST_P(ChannelTest, AFullChannelToo) {
  auto ends = channel().open({});
  auto sender = std::make_unique<ipc::AnySender>(std::move(ends.first));
  const std::uint64_t sent = fill_up(*sender, small_bytes);
  sender.reset();  // does not wait for room
  for (std::uint64_t i = 0; i < sent; ++i) {
    expect_number(ends.second, i, small_bytes);
  }
  expect_closed(ends.second);
}

TEST_P(ChannelTest, TheEndWakesAReceiverThatWaits) {
  auto [peer, sender] =
      to_receiver({}, [](auto& receiver) { expect_closed(receiver, Deadline::never()); });
  std::this_thread::sleep_for(50ms);  // it sleeps by now
  sender.reset();
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, AReceiverWithAnUndeliveredMessageIsNotPacked) {
  if (!traits().crosses_processes) GTEST_SKIP() << "an end of a thread is not handed over";
  auto ends = channel().open({.message_bytes = 100, .handed_over = true});
  send_number(ends.first, 1, 100);
  std::array<std::byte, 10> small{};
  EXPECT_THROW(ends.second.receive(small, Deadline::never()), std::length_error);
  ipc::Parcel parcel;
  try {
    std::move(ends.second).pack(parcel);
    // Where the message never left the channel, it is there for the next holder.
    auto receiver = channel().unpack_receiver(parcel);
    expect_number(receiver, 1, 100, Deadline::in(10s));
  } catch (const std::logic_error&) {
    expect_number(ends.second, 1, 100, Deadline::in(10s));
  }
}

TEST_P(ChannelTest, WhenTheReceiversAreGoneSendersAreTold) {
  auto [peer, sender] =
      to_receiver({}, [](auto& receiver) { expect_number(receiver, 0, small_bytes); });
  send_number(*sender, 0, small_bytes);
  EXPECT_EQ(peer.join(), "");
  // A message or two may still go into the room that is left.
  Outcome outcome = Outcome::done;
  for (int i = 0; i < 3 && outcome == Outcome::done; ++i) {
    outcome = sender->send(tests::message(1, small_bytes), Deadline::in(10s));
  }
  EXPECT_EQ(outcome, Outcome::closed);
}

TEST_P(ChannelTest, ThatWakesASenderThatWaits) {
  auto [peer, sender] = to_receiver({}, [](auto& receiver) {
    expect_number(receiver, 0, small_bytes);
    std::this_thread::sleep_for(50ms);  // the sender sleeps by now
  });
  for (std::uint64_t i = 0;; ++i) {
    if (sender->send(tests::message(i, small_bytes), Deadline::never()) == Outcome::closed) {
      break;
    }
  }
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, ClosingDoesNotRaiseSigpipe) {
  auto [peer, receiver] = to_sender({}, [](auto& sender) {
    std::signal(SIGPIPE, SIG_DFL);
    Outcome outcome = Outcome::done;
    while (outcome == Outcome::done) {
      outcome = sender.send(tests::message(0, small_bytes), Deadline::in(10s));
    }
    require(outcome == Outcome::closed, "the sender was not told");
  });
  receiver.reset();
  EXPECT_EQ(peer.join(), "");
}

TEST_P(ChannelTest, EveryCopyOfAnEndCounts) {
  auto ends = channel().open({});
  auto first = std::make_unique<ipc::AnySender>(std::move(ends.first));
  if (traits().senders == Arity::one) {
    EXPECT_THROW(static_cast<void>(first->clone()), ipc::NotSupported);
    return;
  }
  auto second = std::make_unique<ipc::AnySender>(first->clone());
  auto [peer, keeper] =
      tests::connect(GetParam().peer, std::move(ends.second), second->clone(), [](auto&) {});
  EXPECT_EQ(peer.join(), "");  // that copy is gone
  first.reset();
  std::vector<std::byte> buffer(4096);
  EXPECT_EQ(keeper->receive(buffer, Deadline::in(20ms)).outcome, Outcome::timed_out);
  send_number(*second, 3, small_bytes);
  expect_number(*keeper, 3, small_bytes);
  second.reset();
  expect_closed(*keeper);
}

TEST_P(ChannelTest, InterruptedWaitsGoOn) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);  // without SA_RESTART
  auto [peer, receiver] = to_sender({}, [](auto& sender) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(5ms);
      send_number(sender, i, small_bytes);
    }
  });
  const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 1000},
                        .it_value = {.tv_sec = 0, .tv_usec = 1000}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  for (std::uint64_t i = 0; i < 20; ++i) {
    expect_number(*receiver, i, small_bytes, i % 2 == 0 ? Deadline::never() : Deadline::in(10s));
  }
  expect_closed(*receiver);
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_EQ(peer.join(), "");
}

}  // namespace
