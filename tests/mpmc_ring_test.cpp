// mpmc_ring with many at both ends, and with ends that stop or die in the middle of their work.
#include "ipc/channels/mpmc_ring.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/claimant.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "tests/channel_peers.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::expect_number;
using tests::PeerKind;
using tests::require;
using tests::send_number;
using namespace std::chrono_literals;

constexpr std::uint64_t senders_count = 4;
constexpr std::uint64_t receivers_count = 4;
constexpr std::size_t small_bytes = 48;
constexpr ipc::Options few_slots{.message_bytes = small_bytes,
                                 .capacity = {.bytes = 1024, .messages = 8}};

// Over all senders; IPC_COMPARE_MPMC_MESSAGES says otherwise. Ends that spin, and outnumber the
// CPUs, wait for each other's time slices.
std::uint64_t messages_count(bool spins) {
  const char* given = std::getenv("IPC_COMPARE_MPMC_MESSAGES");
  return given != nullptr ? std::stoull(given) : spins ? 10'000 : 400'000;
}

// A message that says who sent it, and which one it is.
struct Tagged {
  std::uint64_t sender;
  std::uint64_t number;
  std::uint64_t check = tests::mix(sender) ^ tests::mix(number);

  [[nodiscard]] bool whole() const { return check == Tagged{sender, number}.check; }
  [[nodiscard]] ipc::Bytes bytes() const { return std::as_bytes(std::span(this, 1)); }
  [[nodiscard]] ipc::Buffer room() { return std::as_writable_bytes(std::span(this, 1)); }
};

// Notes the next message of each of `n` senders; throws when it is torn or out of order.
template <std::size_t n>
class InOrder {
 public:
  void note(const Tagged& tagged) {
    require(tagged.sender < n && tagged.whole(), "a torn message");
    require(tagged.number >= next_[tagged.sender], "a sender's order was changed");
    next_[tagged.sender] = tagged.number + 1;
  }

 private:
  std::array<std::uint64_t, n> next_{};
};

template <class W>
class MpmcRingTest : public testing::Test {
 protected:
  using Ring = ipc::MpmcRing<W>;
  using Sender = typename Ring::Sender;
  using Receiver = typename Ring::Receiver;

  static void every_message_comes_once_and_in_order(PeerKind kind) {
    const std::uint64_t each = messages_count(W::spins) / senders_count;
    // A bit for every message that came, over all receivers.
    const std::uint64_t words = (each * senders_count + 63) / 64;
    const ipc::Mapping mapping = ipc::Mapping::create(words * sizeof(std::uint64_t));
    auto* const seen = reinterpret_cast<std::atomic<std::uint64_t>*>(mapping.data());

    auto ends = Ring::open({.message_bytes = sizeof(Tagged)});
    std::vector<std::unique_ptr<Sender>> senders;
    std::vector<std::unique_ptr<Receiver>> receivers;
    for (std::uint64_t i = 0; i < senders_count; ++i) {
      senders.push_back(std::make_unique<Sender>(ends.first.clone()));
    }
    for (std::uint64_t i = 0; i < receivers_count; ++i) {
      receivers.push_back(std::make_unique<Receiver>(ends.second.clone()));
    }
    { const auto gone = std::move(ends); }

    // A process inherits every end and keeps one; threads share them and keep all.
    const auto keep = [&](const void* mine) {
      if (kind == PeerKind::thread) return;
      for (auto& end : senders)
        if (end.get() != mine) end.reset();
      for (auto& end : receivers)
        if (end.get() != mine) end.reset();
    };
    std::vector<tests::Peer> peers;
    for (std::uint64_t i = 0; i < senders_count; ++i) {
      peers.emplace_back(kind, [&, i] {
        keep(senders[i].get());
        for (std::uint64_t number = 0; number < each; ++number) {
          require(senders[i]->send(Tagged{i, number}.bytes(), Deadline::never()) == Outcome::done,
                  "not sent");
        }
        senders[i].reset();
      });
    }
    for (std::uint64_t i = 0; i < receivers_count; ++i) {
      peers.emplace_back(kind, [&, i] {
        keep(receivers[i].get());
        InOrder<senders_count> order;
        for (;;) {
          Tagged tagged{};
          const auto received = receivers[i]->receive(tagged.room(), Deadline::never());
          if (received.outcome == Outcome::closed) return;
          order.note(tagged);
          require(tagged.number < each, "a message that was not sent");
          const std::uint64_t index = tagged.sender * each + tagged.number;
          const std::uint64_t bit = std::uint64_t{1} << index % 64;
          require((seen[index / 64].fetch_or(bit) & bit) == 0, "a message came twice");
        }
      });
    }
    if (kind == PeerKind::process) {
      senders.clear();
      receivers.clear();
    }
    for (auto& peer : peers) EXPECT_EQ(peer.join(), "");
    std::uint64_t came = 0;
    for (std::uint64_t word = 0; word < words; ++word) {
      came += static_cast<std::uint64_t>(std::popcount(seen[word].load()));
    }
    EXPECT_EQ(came, each * senders_count);
  }

  // A process that claims a slot and then does `then` with the end that holds the claim.
  template <class Then>
  static ipc::Process claim_and(Sender& sender, Receiver& receiver, Then then) {
    return ipc::Process([&] {
      { const auto gone = std::move(receiver); }
      const auto loan = sender.loan(small_bytes, Deadline::never());
      tests::fill(loan.room, 1);
      then();
      require(sender.commit() == Outcome::done, "not committed");
      return 0;
    });
  }
  static void wait_until_stopped(const ipc::Process& process) {
    siginfo_t info{};
    ipc::check("waitid", [&] {
      return ::waitid(P_PIDFD, static_cast<id_t>(process.pidfd().get()), &info, WSTOPPED);
    });
  }
};

using Waits = testing::Types<ipc::Spin, ipc::Yield, ipc::Futex, ipc::Adaptive, ipc::EventFd>;
TYPED_TEST_SUITE(MpmcRingTest, Waits);

TYPED_TEST(MpmcRingTest, EveryMessageComesOnceAndInOrderBetweenThreads) {
  this->every_message_comes_once_and_in_order(PeerKind::thread);
}

TYPED_TEST(MpmcRingTest, EveryMessageComesOnceAndInOrderBetweenProcesses) {
  this->every_message_comes_once_and_in_order(PeerKind::process);
}

TYPED_TEST(MpmcRingTest, BehindASenderThatIsStoppedTheOthersReachTheirDeadlines) {
  auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
  auto other = ends.first.clone();
  auto stopped = this->claim_and(ends.first, ends.second, [] { ::raise(SIGSTOP); });
  { const auto gone = std::move(ends.first); }
  this->wait_until_stopped(stopped);

  std::vector<std::byte> buffer(small_bytes);
  std::uint64_t sent = 0;
  while (other.send(tests::message(2 + sent, small_bytes), Deadline::now()) == Outcome::done) {
    ++sent;
  }
  EXPECT_EQ(sent, other.capacity().messages - 1);
  for (const auto deadline : {Deadline::now(), Deadline::in(50ms)}) {
    EXPECT_EQ(ends.second.receive(buffer, deadline).outcome, Outcome::timed_out);
    EXPECT_EQ(other.send(tests::message(0, small_bytes), deadline), Outcome::timed_out);
  }
  stopped.kill(SIGCONT);
  for (std::uint64_t number = 1; number < 2 + sent; ++number) {
    expect_number(ends.second, number, small_bytes);
  }
  EXPECT_TRUE(stopped.join()->success());
}

TYPED_TEST(MpmcRingTest, WhatASenderWasWritingWhenItWasKilledIsSkipped) {
  auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
  auto other = ends.first.clone();
  auto killed = this->claim_and(ends.first, ends.second, [] { ::raise(SIGKILL); });
  { const auto gone = std::move(ends.first); }
  EXPECT_EQ(killed.join()->signal, SIGKILL);
  for (std::uint64_t number = 0; number < 3 * other.capacity().messages; ++number) {
    send_number(other, number, small_bytes);
    expect_number(ends.second, number, small_bytes);
  }
  { const auto gone = std::move(other); }
  tests::expect_closed(ends.second);
}

TYPED_TEST(MpmcRingTest, TheEndComesBehindASenderThatWasKilledToo) {
  auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
  auto killed = this->claim_and(ends.first, ends.second, [] { ::raise(SIGKILL); });
  { const auto gone = std::move(ends.first); }
  killed.join();
  tests::expect_closed(ends.second);
}

TYPED_TEST(MpmcRingTest, AReceiverThatIsKilledWhileItReadsBlocksNobody) {
  auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
  auto other = ends.second.clone();
  send_number(ends.first, 0, small_bytes);
  ipc::Process killed([&] {
    ends.second.borrow(Deadline::never());
    ::raise(SIGKILL);
    return 0;
  });
  { const auto gone = std::move(ends.second); }
  EXPECT_EQ(killed.join()->signal, SIGKILL);
  // The slot that it held is needed after a round of the others.
  for (std::uint64_t number = 1; number < 3 * ends.first.capacity().messages; ++number) {
    send_number(ends.first, number, small_bytes);
    expect_number(other, number, small_bytes);
  }
}

TYPED_TEST(MpmcRingTest, WhoTakesADeadEndsNumberGivesBackWhatItHeld) {
  auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
  auto other = ends.first.clone();
  auto killed = this->claim_and(ends.first, ends.second, [] { ::raise(SIGKILL); });
  { const auto gone = std::move(ends.first); }
  killed.join();
  send_number(other, 2, small_bytes);
  // The lowest number is free again: were the claim not ended now, its claimant would seem to live.
  const auto heir = other.clone();
  expect_number(ends.second, 2, small_bytes, Deadline::now());
}

TYPED_TEST(MpmcRingTest, EndsThatAreKilledAtAnyMomentHarmNobody) {
  using Sender = typename TestFixture::Sender;
  std::mt19937 random(20250102);
  for (int round = 0; round < (TypeParam::spins ? 3 : 10); ++round) {
    auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
    auto victim_sender = ends.first.clone();
    auto victim_receiver = ends.second.clone();
    const auto send = [](Sender& sender, std::uint64_t which, std::uint64_t count) {
      for (std::uint64_t number = 0; number < count; ++number) {
        require(sender.send(Tagged{which, number}.bytes(), Deadline::never()) == Outcome::done,
                "not sent");
      }
    };
    ipc::Process sender([&] {
      { const auto gone = std::move(ends); }
      { const auto gone = std::move(victim_receiver); }
      send(victim_sender, 0, std::numeric_limits<std::uint64_t>::max());
      return 0;
    });
    ipc::Process receiver([&] {
      { const auto gone = std::move(ends); }
      { const auto gone = std::move(victim_sender); }
      for (Tagged tagged{};;) victim_receiver.receive(tagged.room(), Deadline::never());
      return 0;
    });
    ipc::Process survivor([&] {
      { const auto gone = std::move(ends.second); }
      { const auto gone = std::move(victim_sender); }
      { const auto gone = std::move(victim_receiver); }
      send(ends.first, 1, 2000);
      return 0;
    });
    { const auto gone = std::move(ends.first); }
    { const auto gone = std::move(victim_sender); }
    { const auto gone = std::move(victim_receiver); }
    std::thread killer([&, wait = std::chrono::microseconds(random() % 20'000)] {
      std::this_thread::sleep_for(wait);
      receiver.kill(SIGKILL);
      sender.kill(SIGKILL);
    });
    // What the victims did not take with them comes whole, in order, and to its end.
    InOrder<2> order;
    for (Tagged tagged{};
         ends.second.receive(tagged.room(), Deadline::never()).outcome == Outcome::done;) {
      order.note(tagged);
    }
    killer.join();
    EXPECT_TRUE(survivor.join()->success());
  }
}

TYPED_TEST(MpmcRingTest, ALoanThatIsGivenBackWasNeverSent) {
  auto ends = ipc::MpmcRing<TypeParam>::open(few_slots);
  auto other = ends.first.clone();
  for (std::uint64_t number = 0; number < 3 * other.capacity().messages; ++number) {
    ASSERT_EQ(ends.first.loan(small_bytes, Deadline::now()).outcome, Outcome::done);
    send_number(other, number, small_bytes, Deadline::now());
    ASSERT_EQ(ends.first.loan(small_bytes, Deadline::now()).outcome, Outcome::done);
    expect_number(ends.second, number, small_bytes, Deadline::now());
  }
}

TEST(MpmcRing, HasTheRoomThatFitsItsBytesAndAtLeastOneSlot) {
  const auto slots = [](std::size_t message_bytes, ipc::Capacity capacity) {
    auto ends =
        ipc::MpmcRing<ipc::Spin>::open({.message_bytes = message_bytes, .capacity = capacity});
    return ends.first.capacity().messages;
  };
  EXPECT_EQ(slots(48, {.bytes = 1 << 20, .messages = 100}), 128U);
  EXPECT_EQ(slots(1008, {.bytes = 4096, .messages = 100}), 4U);
  EXPECT_EQ(slots(100'000, {.bytes = 1, .messages = 100}), 1U);
}

TEST(MpmcRing, AHeaderThatWasTamperedWithIsRefused) {
  for (const std::uint64_t slots : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 40}) {
    auto ends = ipc::MpmcRing<ipc::Spin>::open({});
    ipc::Parcel parcel;
    std::move(ends.first).pack(parcel);
    ipc::Fd fd = parcel.take_fd();
    const auto mapping = ipc::Mapping::attach(fd.duplicate());
    mapping.as<ipc::SlotRing<ipc::Spin::Place>::Header>().slots = slots;
    ipc::Parcel tampered;
    tampered.put(std::move(fd));
    EXPECT_THROW(ipc::SlotRing<ipc::Spin::Place>{tampered}, std::runtime_error) << slots;
  }
}

TEST(Claimant, HasANumberUntilItsLastCopyIsGone) {
  const auto memory = ipc::Mapping::create(1);
  const auto first = ipc::Claimant::take(memory.fd());
  auto second = ipc::Claimant::take(memory.fd());
  const auto number = second.number();
  EXPECT_NE(first.number(), number);
  EXPECT_FALSE(first.is_gone(number));
  ipc::Process copy([] {
    std::this_thread::sleep_for(1h);
    return 0;
  });
  ipc::Parcel parcel;
  std::move(second).pack(parcel);
  { const auto gone = std::move(second); }
  EXPECT_FALSE(first.is_gone(number)) << "it is in the parcel";
  parcel = {};
  EXPECT_FALSE(first.is_gone(number)) << "the other process inherited it";
  copy.kill(SIGKILL);
  copy.join();
  EXPECT_TRUE(first.is_gone(number));
  EXPECT_EQ(ipc::Claimant::take(memory.fd()).number(), number);
}

}  // namespace
