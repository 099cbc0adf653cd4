// The ways to wait, at one place of shared memory, between processes. A wake-up that is lost leaves
// somebody asleep: the time limit of ctest finds it.
#include "ipc/waits.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"
#include "ipc/process.hpp"

namespace {

using ipc::Deadline;
using namespace std::chrono_literals;

template <class W>
class WaitTest : public testing::Test {
 protected:
  struct Shared {
    typename W::Place asked{};
    typename W::Place answered{};
    std::atomic<std::uint32_t> turn{0};
    std::atomic<std::uint32_t> tokens{0};
    std::atomic<std::uint32_t> taken{0};
    std::atomic<bool> over{false};
  };

  // Spinning processes that outnumber the CPUs wait for each other's time slices.
  static constexpr std::uint32_t rounds = W::spins ? 300 : 10'000;
  static constexpr std::uint32_t waiters = 4;

  ipc::Mapping mapping_ = ipc::Mapping::create(sizeof(Shared));
  Shared& shared_ = *new (mapping_.data()) Shared;
  W asked_ = W::open();
  W answered_ = W::open();
};

using Waits = testing::Types<ipc::Spin, ipc::Yield, ipc::Futex, ipc::Adaptive, ipc::EventFd>;
TYPED_TEST_SUITE(WaitTest, Waits);

TYPED_TEST(WaitTest, GivesUpAtTheDeadlineAndNotBefore) {
  const auto never = [] { return false; };
  EXPECT_FALSE(this->asked_.await(this->shared_.asked, never, Deadline::now()));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(this->asked_.await(this->shared_.asked, never, Deadline::in(30ms)));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
  EXPECT_TRUE(this->asked_.await(
      this->shared_.asked, [] { return true; }, Deadline::now()));
}

// They wait at one place, each for something else: what wakes one must not be lost to another.
TYPED_TEST(WaitTest, EveryWaiterLooksAgain) {
  auto& shared = this->shared_;
  std::vector<ipc::Process> players;
  for (std::uint32_t player = 0; player < this->waiters; ++player) {
    players.emplace_back([&, player] {
      auto wait = this->asked_.clone();
      for (std::uint32_t i = player; i < this->rounds; i += this->waiters) {
        wait.await(
            shared.asked, [&] { return shared.turn.load() == i; }, Deadline::never());
        shared.turn.store(i + 1);
        wait.notify(shared.asked);
      }
      return 0;
    });
  }
  for (auto& player : players) EXPECT_TRUE(player.join()->success());
  EXPECT_EQ(shared.turn.load(), this->rounds);
}

// They wait for the same and take it from each other; who wakes and finds nothing sleeps again.
TYPED_TEST(WaitTest, NobodySleepsBesideWhatHeWaitsFor) {
  auto& shared = this->shared_;
  std::vector<ipc::Process> takers;
  for (std::uint32_t taker = 0; taker < this->waiters; ++taker) {
    takers.emplace_back([&] {
      auto asked = this->asked_.clone();
      auto answered = this->answered_.clone();
      for (;;) {
        asked.await(
            shared.asked, [&] { return shared.tokens.load() > 0 || shared.over.load(); },
            Deadline::never());
        std::uint32_t left = shared.tokens.load();
        if (left == 0 && shared.over.load()) return 0;
        while (left > 0 && !shared.tokens.compare_exchange_weak(left, left - 1)) {
        }
        if (left == 0) continue;
        shared.taken.fetch_add(1);
        answered.notify(shared.answered);
      }
    });
  }
  std::uint32_t given = 0;
  for (std::uint32_t round = 0; round < this->rounds; ++round) {
    for (std::uint32_t more = 0; more <= round % this->waiters; ++more) {
      shared.tokens.fetch_add(1);
      this->asked_.notify(shared.asked);
      ++given;
    }
    this->answered_.await(
        shared.answered, [&] { return shared.taken.load() == given; }, Deadline::never());
  }
  shared.over.store(true);
  this->asked_.notify(shared.asked);
  for (auto& taker : takers) EXPECT_TRUE(taker.join()->success());
  EXPECT_EQ(shared.tokens.load(), 0U);
}

TYPED_TEST(WaitTest, AWaiterThatIsKilledTakesNoWakeUpAlong) {
  auto& shared = this->shared_;
  const auto wait_for_a_token = [&] {
    auto wait = this->asked_.clone();
    wait.await(
        shared.asked, [&] { return shared.tokens.load() > 0; }, Deadline::never());
    return 0;
  };
  for (int i = 0; i < 5; ++i) {
    shared.tokens = 0;
    ipc::Process victim(wait_for_a_token);
    ipc::Process survivor(wait_for_a_token);
    std::this_thread::sleep_for(20ms);
    victim.kill(SIGSTOP);  // it is the first to be woken, and goes no further
    shared.tokens = 1;
    this->asked_.notify(shared.asked);
    victim.kill(SIGKILL);
    EXPECT_TRUE(survivor.join()->success());
  }
}

TYPED_TEST(WaitTest, CanBeHandedOver) {
  auto& shared = this->shared_;
  ipc::Parcel parcel;
  this->asked_.clone().pack(parcel);
  TypeParam there(parcel);
  ipc::Process waiter([&] {
    there.await(
        shared.asked, [&] { return shared.tokens.load() > 0; }, Deadline::never());
    return 0;
  });
  std::this_thread::sleep_for(20ms);
  shared.tokens = 1;
  this->asked_.notify(shared.asked);
  EXPECT_TRUE(waiter.join()->success());
}

TEST(EventFd, ADescriptorTellsOfWhatComesAfterALookThatFailed) {
  ipc::EventFd::Place place;
  auto notifier = ipc::EventFd::open();
  auto waiter = notifier.clone();
  const int descriptor = waiter.descriptor(place);
  const auto look = [&] {
    return waiter.await(
        place, [] { return false; }, Deadline::now());
  };
  for (int i = 0; i < 3; ++i) {
    look();
    EXPECT_FALSE(ipc::poll(descriptor, POLLIN, Deadline::now()));
    notifier.notify(place);
    EXPECT_TRUE(ipc::poll(descriptor, POLLIN, Deadline::now()));
    EXPECT_TRUE(ipc::poll(descriptor, POLLIN, Deadline::now())) << "it stays until somebody looks";
  }
  EXPECT_EQ(waiter.descriptor(place), descriptor);
}

}  // namespace
