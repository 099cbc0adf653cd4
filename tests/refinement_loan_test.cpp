// LoanChannel: the sender writes in place, the receiver reads in place, and everything else is as
// the contract says. Over every channel of the registry that lends, and over one that is written
// here, so plain that the suite itself can be tested.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/channels.hpp"
#include "ipc/message_size.hpp"
#include "ipc/refinements.hpp"
#include "tests/channel_peers.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::PeerKind;
using tests::require;
using namespace std::chrono_literals;

// ---- the plain one: between threads, a queue of vectors under a mutex ----

struct LendingQueue {
  static constexpr std::string_view name = "lending_queue";
  static constexpr ipc::Traits traits{.message_bytes_max = std::size_t{1} << 20,
                                      .crosses_processes = false};

  struct Shared {
    explicit Shared(const ipc::Options& with) : options(with) {}

    // False at the deadline.
    template <class Ready>
    bool await(std::unique_lock<std::mutex>& lock, Ready ready, Deadline deadline) {
      while (!ready()) {
        if (deadline.expired()) return false;
        changed.wait_for(lock, 1ms);
      }
      return true;
    }

    const ipc::Options options;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::vector<std::byte>> messages;
    bool sender_gone = false;
    bool receiver_gone = false;
  };

  class Sender {
   public:
    explicit Sender(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    Sender(Sender&&) = default;
    Sender& operator=(Sender&&) = default;
    ~Sender() {
      if (!shared_) return;
      const std::scoped_lock lock(shared_->mutex);
      shared_->sender_gone = true;
      shared_->changed.notify_all();
    }

    [[nodiscard]] ipc::Capacity capacity() const { return shared_->options.capacity; }

    ipc::Loan loan(std::size_t bytes, Deadline deadline) {
      ipc::check_message_size(bytes, shared_->options.message_bytes);
      std::unique_lock lock(shared_->mutex);
      const auto ready = [&] {
        return shared_->receiver_gone ||
               shared_->messages.size() < shared_->options.capacity.messages;
      };
      if (!shared_->await(lock, ready, deadline)) return {Outcome::timed_out, {}};
      if (shared_->receiver_gone) return {Outcome::closed, {}};
      lent_.resize(bytes);
      return {Outcome::done, lent_};
    }
    Outcome commit() {
      const std::scoped_lock lock(shared_->mutex);
      if (shared_->receiver_gone) return Outcome::closed;
      shared_->messages.push_back(std::exchange(lent_, {}));
      shared_->changed.notify_all();
      return Outcome::done;
    }
    Outcome send(ipc::Bytes message, Deadline deadline) {
      const auto lent = loan(message.size(), deadline);
      if (lent.outcome != Outcome::done) return lent.outcome;
      std::copy(message.begin(), message.end(), lent.room.begin());
      return commit();
    }

   private:
    std::shared_ptr<Shared> shared_;
    std::vector<std::byte> lent_;
  };

  class Receiver {
   public:
    explicit Receiver(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    Receiver(Receiver&&) = default;
    Receiver& operator=(Receiver&&) = default;
    ~Receiver() {
      if (!shared_) return;
      const std::scoped_lock lock(shared_->mutex);
      shared_->receiver_gone = true;
      shared_->changed.notify_all();
    }

    ipc::Borrowed borrow(Deadline deadline) {
      std::unique_lock lock(shared_->mutex);
      const auto ready = [&] { return shared_->sender_gone || !shared_->messages.empty(); };
      if (!shared_->await(lock, ready, deadline)) return {Outcome::timed_out, {}};
      if (shared_->messages.empty()) return {Outcome::closed, {}};
      return {Outcome::done, shared_->messages.front()};
    }
    void release() {
      const std::scoped_lock lock(shared_->mutex);
      shared_->messages.pop_front();
      shared_->changed.notify_all();
    }
    ipc::Received receive(ipc::Buffer buffer, Deadline deadline) {
      const auto borrowed = borrow(deadline);
      if (borrowed.outcome != Outcome::done) return {borrowed.outcome};
      ipc::check_buffer_size(borrowed.message.size(), buffer.size());
      std::copy(borrowed.message.begin(), borrowed.message.end(), buffer.begin());
      const std::size_t size = borrowed.message.size();
      release();
      return {Outcome::done, size};
    }

   private:
    std::shared_ptr<Shared> shared_;
  };

  static std::pair<Sender, Receiver> open(const ipc::Options& options = {}) {
    ipc::check_options(name, traits, options);
    const auto shared = std::make_shared<Shared>(options);
    return {Sender(shared), Receiver(shared)};
  }
};

static_assert(ipc::LoanChannel<LendingQueue>);

// ---- the suite ----

template <class C, PeerKind peer>
struct Between {
  using Channel = C;
  static constexpr PeerKind peer_kind = peer;
};

template <class... Lists>
struct Joined {
  using type = ipc::TypeList<>;
};
template <class... As, class... Bs, class... Rest>
struct Joined<ipc::TypeList<As...>, ipc::TypeList<Bs...>, Rest...>
    : Joined<ipc::TypeList<As..., Bs...>, Rest...> {};
template <class... As>
struct Joined<ipc::TypeList<As...>> {
  using type = ipc::TypeList<As...>;
};

// The cases of one channel: none when it does not lend.
template <class C>
auto cases_of() {
  if constexpr (!ipc::LoanChannel<C>) {
    return ipc::TypeList<>{};
  } else if constexpr (C::traits.crosses_processes) {
    return ipc::TypeList<Between<C, PeerKind::thread>, Between<C, PeerKind::process>>{};
  } else {
    return ipc::TypeList<Between<C, PeerKind::thread>>{};
  }
}
template <class C>
using CasesOf = decltype(cases_of<C>());

using LoanCases = Joined<ipc::TypeList<Between<LendingQueue, PeerKind::thread>>,
                         typename ipc::AllChannels::map<CasesOf>::template into<Joined>::type>::
    type::into<testing::Types>;

struct CaseNames {
  template <class Case>
  static std::string GetName(int) {  // NOLINT: the name is GoogleTest's
    return std::string(Case::Channel::name) +
           (Case::peer_kind == PeerKind::thread ? "_between_threads" : "_between_processes");
  }
};

template <class Case>
class LoanTest : public testing::Test {
 protected:
  using Channel = typename Case::Channel;
  using Sender = typename Channel::Sender;
  using Receiver = typename Channel::Receiver;

  static constexpr std::size_t small_bytes = 48;
  static constexpr std::size_t large_bytes =
      std::min(Channel::traits.message_bytes_max, std::size_t{64} << 10);

  // main(Receiver&) runs at the peer.
  template <class Main>
  static auto to_receiver(const ipc::Options& options, Main main) {
    auto ends = Channel::open(options);
    return tests::connect(Case::peer_kind, std::move(ends.first), std::move(ends.second), main);
  }
};

TYPED_TEST_SUITE(LoanTest, LoanCases, CaseNames);

template <class Sender>
void lend_number(Sender& sender, std::uint64_t number, std::size_t size,
                 Deadline deadline = Deadline::in(10s)) {
  const ipc::Loan loan = sender.loan(size, deadline);
  require(loan.outcome == Outcome::done && loan.room.size() == size, "no loan of that size");
  tests::fill(loan.room, number);
  require(sender.commit() == Outcome::done, "not committed");
}

template <class Receiver>
void expect_borrowed(Receiver& receiver, std::uint64_t number, std::size_t size,
                     Deadline deadline = Deadline::in(10s)) {
  const ipc::Borrowed borrowed = receiver.borrow(deadline);
  require(borrowed.outcome == Outcome::done, "message " + std::to_string(number) + " did not come");
  require(borrowed.message.size() == size && tests::matches(borrowed.message, number),
          "message " + std::to_string(number) + " is not what was written");
}

TYPED_TEST(LoanTest, LentAndCopiedMessagesMix) {
  constexpr std::size_t most = TestFixture::large_bytes;
  constexpr std::uint64_t messages = 1000;
  const auto size_of = [](std::uint64_t number) { return 1 + tests::mix(number) % most; };
  auto [peer, sender] =
      TestFixture::to_receiver({.message_bytes = most}, [=](typename TestFixture::Receiver& end) {
        for (std::uint64_t i = 0; i < messages; ++i) {
          if (tests::mix(i) % 3 == 0) {
            tests::expect_number(end, i, size_of(i));
          } else {
            expect_borrowed(end, i, size_of(i));
            end.release();
          }
        }
        tests::expect_closed(end);
      });
  for (std::uint64_t i = 0; i < messages; ++i) {
    if (tests::mix(i) % 2 == 0) {
      tests::send_number(*sender, i, size_of(i));
    } else {
      lend_number(*sender, i, size_of(i));
    }
  }
  sender.reset();
  EXPECT_EQ(peer.join(), "");
}

TYPED_TEST(LoanTest, ALoanThatIsNotCommittedSendsNothing) {
  constexpr std::size_t size = TestFixture::small_bytes;
  auto ends = TestFixture::Channel::open({});
  for (std::uint64_t i = 0; i < 1000; ++i) {  // many more than there is room for
    ASSERT_EQ(ends.first.loan(1 + i % 4096, Deadline::in(10s)).outcome, Outcome::done);
  }
  EXPECT_EQ(ends.second.borrow(Deadline::now()).outcome, Outcome::timed_out);
  tests::send_number(ends.first, 1, size);
  tests::expect_number(ends.second, 1, size);
  EXPECT_EQ(ends.first.loan(size, Deadline::in(10s)).outcome, Outcome::done);
  { const auto gone = std::move(ends.first); }
  EXPECT_EQ(ends.second.borrow(Deadline::in(10s)).outcome, Outcome::closed);
}

TYPED_TEST(LoanTest, WhatSendRefusesIsNotLent) {
  auto ends = TestFixture::Channel::open({.message_bytes = 100});
  EXPECT_THROW(ends.first.loan(0, Deadline::never()), std::invalid_argument);
  EXPECT_THROW(ends.first.loan(101, Deadline::never()), std::length_error);
  lend_number(ends.first, 1, 100);
  expect_borrowed(ends.second, 1, 100);
}

TYPED_TEST(LoanTest, AMessageIsShownUntilItIsReleased) {
  constexpr std::size_t size = TestFixture::large_bytes;
  auto ends = TestFixture::Channel::open({.message_bytes = size});
  lend_number(ends.first, 1, size);
  lend_number(ends.first, 2, size);
  expect_borrowed(ends.second, 1, size);
  expect_borrowed(ends.second, 1, size, Deadline::now());
  std::vector<std::byte> small(size - 1);
  EXPECT_THROW(ends.second.receive(small, Deadline::now()), std::length_error);
  expect_borrowed(ends.second, 1, size, Deadline::now());
  tests::expect_number(ends.second, 1, size);  // receive delivers it, and it is released
  expect_borrowed(ends.second, 2, size);
  ends.second.release();
  EXPECT_EQ(ends.second.borrow(Deadline::now()).outcome, Outcome::timed_out);
}

// Whatever the sender does meanwhile.
TYPED_TEST(LoanTest, WhatIsBorrowedDoesNotChange) {
  constexpr std::size_t size = TestFixture::large_bytes;
  auto ends = TestFixture::Channel::open({.message_bytes = size});
  std::uint64_t sent = 0;
  for (std::uint64_t got = 0; got < 50; ++got) {
    while (ends.first.send(tests::message(sent, size), Deadline::now()) == Outcome::done) ++sent;
    expect_borrowed(ends.second, got, size);
    const auto lent = ends.first.loan(size, Deadline::now());
    if (lent.outcome == Outcome::done) tests::fill(lent.room, UINT64_MAX);
    expect_borrowed(ends.second, got, size);
    ends.second.release();
  }
  EXPECT_GT(sent, 50U);
}

TYPED_TEST(LoanTest, ALoanWaitsForRoomUntilItsDeadline) {
  constexpr std::size_t size = TestFixture::large_bytes;
  auto ends = TestFixture::Channel::open({.message_bytes = size});
  std::uint64_t sent = 0;
  while (ends.first.send(tests::message(sent, size), Deadline::now()) == Outcome::done) ++sent;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(ends.first.loan(size, Deadline::in(30ms)).outcome, Outcome::timed_out);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
  EXPECT_EQ(ends.first.loan(size, Deadline::now()).outcome, Outcome::timed_out);
  for (std::uint64_t i = 0; i < sent; ++i) {
    expect_borrowed(ends.second, i, size);
    ends.second.release();
  }
  EXPECT_EQ(ends.second.borrow(Deadline::now()).outcome, Outcome::timed_out);
  lend_number(ends.first, sent, size);
  expect_borrowed(ends.second, sent, size);
}

TYPED_TEST(LoanTest, ABorrowWaitsForAMessageUntilItsDeadline) {
  constexpr std::size_t size = TestFixture::small_bytes;
  auto ends = TestFixture::Channel::open({});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(ends.second.borrow(Deadline::in(30ms)).outcome, Outcome::timed_out);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
  std::jthread later([&sender = ends.first] {
    std::this_thread::sleep_for(20ms);
    lend_number(sender, 1, size);
  });
  expect_borrowed(ends.second, 1, size, Deadline::never());
}

TYPED_TEST(LoanTest, TheEndIsToldToBothSides) {
  constexpr std::size_t size = TestFixture::small_bytes;
  auto [peer, sender] = TestFixture::to_receiver({}, [](typename TestFixture::Receiver& end) {
    expect_borrowed(end, 0, size);
    end.release();
    expect_borrowed(end, 1, size);  // goes with a message in its hands
  });
  lend_number(*sender, 0, size);
  lend_number(*sender, 1, size);
  EXPECT_EQ(peer.join(), "");
  Outcome outcome = Outcome::done;  // a message or two may still go into the room that is left
  for (int i = 0; i < 3 && outcome == Outcome::done; ++i) {
    outcome = sender->loan(size, Deadline::in(10s)).outcome;
    if (outcome == Outcome::done) outcome = sender->commit();
  }
  EXPECT_EQ(outcome, Outcome::closed);
}

// What was being written is never seen, what was committed always is.
TYPED_TEST(LoanTest, ASenderKilledWhileItWritesHasSentNothing) {
  if (TypeParam::peer_kind == PeerKind::thread) GTEST_SKIP() << "a thread is not killed alone";
  constexpr std::size_t size = TestFixture::large_bytes;
  std::mt19937 random(20250104);
  for (int round = 0; round < 10; ++round) {
    auto ends = TestFixture::Channel::open({.message_bytes = size});
    auto [peer, receiver] =
        tests::connect(PeerKind::process, std::move(ends.second), std::move(ends.first),
                       [](typename TestFixture::Sender& sender) {
                         for (std::uint64_t i = 0;; ++i)
                           lend_number(sender, i, size, Deadline::never());
                       });
    std::uint64_t next = 0;
    const auto take = [&, &end = *receiver] {
      const auto borrowed = end.borrow(Deadline::in(200ms));
      if (borrowed.outcome != Outcome::done) return borrowed.outcome;
      EXPECT_EQ(borrowed.message.size(), size);
      EXPECT_TRUE(tests::matches(borrowed.message, next)) << "message " << next << " is torn";
      ++next;
      end.release();
      return Outcome::done;
    };
    const auto until = Deadline::in(std::chrono::microseconds(random() % 3000));
    while (!until.expired() && take() == Outcome::done) {
    }
    peer.kill();
    Outcome outcome = Outcome::done;
    while ((outcome = take()) == Outcome::done) {
    }
    EXPECT_EQ(outcome, Outcome::closed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
