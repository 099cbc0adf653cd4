// What every notifier promises, between threads and between processes.
#include "ipc/notifier.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/mapping.hpp"
#include "ipc/notifiers.hpp"
#include "ipc/socket_pair.hpp"
#include "tests/channel_peers.hpp"

namespace {

using ipc::Deadline;
using std::chrono::milliseconds;
using std::chrono::seconds;
using tests::PeerKind;
using tests::require;
using Clock = Deadline::Clock;
constexpr auto relaxed = std::memory_order_relaxed;

// Long enough to say that it is lost.
Deadline patience() {
  return Deadline::in(seconds(60));
}

template <class N>
class Notifiers : public testing::Test {
 protected:
  // What both sides see besides.
  struct Board {
    // To be seen by who was told. Relaxed, so that nothing but the notification orders it, and
    // atomic, because a sanitizer does not know what the kernel orders.
    std::atomic<long> told{0};
    std::atomic<long> count{0};
    std::atomic<pid_t> thread{0};
  };

  // main(Waiter&) runs at the peer; we get the bell.
  template <class Main>
  static auto connect_to_waiter(PeerKind kind, Main main) {
    auto [bell, waiter] = N::open();
    return tests::connect(kind, std::move(bell), std::move(waiter), main);
  }

  // There and back, each side changing what the other one reads.
  void ping_pong(PeerKind kind) {
    constexpr long rounds = 2000;
    auto [there, at_peer] = N::open();
    auto [back, at_us] = N::open();
    struct Ends {
      typename N::Bell bell;
      typename N::Waiter waiter;
    };
    auto connected =
        tests::connect(kind, Ends{std::move(there), std::move(at_us)},
                       Ends{std::move(back), std::move(at_peer)}, [&board = board()](Ends& ends) {
                         for (long i = 0; i < rounds; ++i) {
                           require(ends.waiter.wait(patience()), "lost");
                           require(board.told.load(relaxed) == 2 * i + 1, "not visible");
                           board.told.store(2 * i + 2, relaxed);
                           ends.bell.notify();
                         }
                       });
    for (long i = 0; i < rounds; ++i) {
      board().told.store(2 * i + 1, relaxed);
      connected.end->bell.notify();
      ASSERT_TRUE(connected.end->waiter.wait(patience())) << i;
      ASSERT_EQ(board().told.load(relaxed), 2 * i + 2);
    }
    EXPECT_EQ(connected.peer.join(), "");
  }

  // As fast as it goes: the last one is told, whatever became of those before.
  void storm(PeerKind kind) {
    constexpr long notifications = 50'000;
    auto connected = connect_to_waiter(kind, [&board = board()](typename N::Waiter& waiter) {
      long seen = 0;
      while ((seen = board.count.load(relaxed)) < notifications) {
        require(waiter.wait(patience()), "lost after " + std::to_string(seen));
      }
    });
    for (long i = 0; i < notifications; ++i) {
      board().count.fetch_add(1, relaxed);
      connected.end->notify();
    }
    EXPECT_EQ(connected.peer.join(), "");
  }

  [[nodiscard]] Board& board() { return mapping_.as<Board>(); }

 private:
  ipc::Mapping mapping_ = [] {
    auto mapping = ipc::Mapping::create(sizeof(Board));
    new (mapping.data()) Board;
    return mapping;
  }();
};

struct NotifierName {
  template <class N>
  static std::string GetName(int) {
    return std::string(N::name);
  }
};

TYPED_TEST_SUITE(Notifiers, ipc::AllNotifiers::into<testing::Types>, NotifierName);

TYPED_TEST(Notifiers, wake_threads) {
  this->ping_pong(PeerKind::thread);
}
TYPED_TEST(Notifiers, wake_processes) {
  this->ping_pong(PeerKind::process);
}
TYPED_TEST(Notifiers, lose_nothing_between_threads) {
  this->storm(PeerKind::thread);
}
TYPED_TEST(Notifiers, lose_nothing_between_processes) {
  this->storm(PeerKind::process);
}

TYPED_TEST(Notifiers, tell_as_one_what_was_not_waited_for) {
  auto [bell, waiter] = TypeParam::open();
  for (int i = 0; i < 3; ++i) {  // the first time nobody has ever waited
    for (int j = 0; j < 3; ++j) bell.notify();
    EXPECT_TRUE(waiter.wait(i == 0 ? Deadline::never() : Deadline::now()));
    EXPECT_FALSE(waiter.wait(Deadline::now()));
  }
}

TYPED_TEST(Notifiers, wait_until_the_deadline) {
  auto [bell, waiter] = TypeParam::open();
  const auto start = Clock::now();
  EXPECT_FALSE(waiter.wait(Deadline::in(milliseconds(30))));
  EXPECT_GE(Clock::now() - start, milliseconds(30));
  EXPECT_FALSE(waiter.wait(Deadline::now()));
  bell.notify();
  EXPECT_TRUE(waiter.wait(Deadline::now()));
}

TYPED_TEST(Notifiers, wait_on_after_a_signal) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};  // and no SA_RESTART
  ::sigaction(SIGUSR1, &action, &before);
  auto& board = this->board();
  auto connected =
      this->connect_to_waiter(PeerKind::thread, [&board](typename TypeParam::Waiter& waiter) {
        board.thread = ::gettid();
        const auto start = Clock::now();
        require(!waiter.wait(Deadline::in(milliseconds(100))), "told of nothing");
        require(Clock::now() - start >= milliseconds(100), "gave up too early");
        board.count = 1;
        require(waiter.wait(Deadline::never()), "gave up");
        require(board.told.load(relaxed) == 1, "woke before it was told");
      });
  const auto interrupt = [&] {
    while (board.thread == 0) std::this_thread::yield();
    ::tgkill(::getpid(), board.thread, SIGUSR1);
    std::this_thread::sleep_for(milliseconds(2));
  };
  while (board.count == 0) interrupt();
  for (int i = 0; i < 20; ++i) interrupt();
  board.told.store(1, relaxed);
  connected.end->notify();
  EXPECT_EQ(connected.peer.join(), "");
  ::sigaction(SIGUSR1, &before, nullptr);
}

TYPED_TEST(Notifiers, go_on_when_the_waiter_is_killed) {
  auto& board = this->board();
  auto connected =
      this->connect_to_waiter(PeerKind::process, [&board](typename TypeParam::Waiter& waiter) {
        board.count = 1;
        waiter.wait(Deadline::never());
      });
  while (board.count == 0) std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(5));  // most likely it waits by now
  connected.peer.kill();
  for (int i = 0; i < 100; ++i) EXPECT_NO_THROW(connected.end->notify());
}

TYPED_TEST(Notifiers, have_a_deadline_when_the_bell_is_killed) {
  auto [bell, waiter] = TypeParam::open();
  auto connected = tests::connect(PeerKind::process, std::move(waiter), std::move(bell),
                                  [](typename TypeParam::Bell& theirs) {
                                    theirs.notify();
                                    ::pause();
                                  });
  EXPECT_TRUE(connected.end->wait(patience()));
  connected.peer.kill();
  EXPECT_FALSE(connected.end->wait(Deadline::in(milliseconds(20))));
}

// Each end to a process that was there before the notifier.
TYPED_TEST(Notifiers, are_handed_over) {
  const auto start = [](auto main) {
    auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, 4096);
    ipc::Process process([&] {
      sockets.sender.reset();
      auto parcel = ipc::Parcel::receive(sockets.receiver);
      return main(parcel.value());
    });
    return std::pair(std::move(process), std::move(sockets.sender));
  };
  auto [rings, to_bell] = start([](ipc::Parcel& parcel) {
    typename TypeParam::Bell(parcel).notify();
    return 0;
  });
  auto [waits, to_waiter] = start([](ipc::Parcel& parcel) {
    return typename TypeParam::Waiter(parcel).wait(patience()) ? 0 : 1;
  });
  auto [bell, waiter] = TypeParam::open();
  const auto send = [](auto&& end, const ipc::Fd& socket) {
    ipc::Parcel parcel;
    std::move(end).pack(parcel);
    return parcel.send(socket);
  };
  ASSERT_TRUE(send(std::move(waiter), to_waiter));
  ASSERT_TRUE(send(std::move(bell), to_bell));
  EXPECT_TRUE(rings.join()->success());
  EXPECT_TRUE(waits.join()->success());
}

// The number of a waiter that is gone may have become somebody else's.
TEST(SignalNotifier, sends_no_signal_to_who_does_not_wait_any_more) {
  auto [bell, waiter] = ipc::SignalNotifier::open();
  std::optional gone(std::move(waiter));
  EXPECT_FALSE(gone->wait(Deadline::now()));  // by this thread, which stays
  gone.reset();
  bell.notify();
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_FALSE(::sigismember(&pending, SIGRTMIN));
}

TEST(SignalNotifier, follows_a_waiter_to_another_thread) {
  auto [bell, waiter] = ipc::SignalNotifier::open();
  EXPECT_FALSE(waiter.wait(Deadline::now()));
  std::thread([&waiter = waiter, &bell = bell] {
    EXPECT_FALSE(waiter.wait(Deadline::now()));
    bell.notify();
    EXPECT_TRUE(waiter.wait(Deadline::never()));
    bell.notify();
  }).join();
  EXPECT_TRUE(waiter.wait(Deadline::never())) << "what was told to the other thread is lost";
}

}  // namespace
