// Watched<C>, over every channel: whoever waits without a deadline learns that its peer was killed,
// and never gets a torn message. How soon is recorded, not asserted.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/adapters/fragmented.hpp"
#include "ipc/adapters/watched.hpp"
#include "ipc/channels/posix_queue.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::require;
using namespace std::chrono_literals;

template <class C>
concept Watchable = requires {
  typename ipc::Watched<C>;
};
static_assert(Watchable<ipc::PosixQueue>);
static_assert(!Watchable<ipc::Fragmented<ipc::PosixQueue>>);

class WatchedTest : public testing::TestWithParam<ipc::AnyChannel> {};

INSTANTIATE_TEST_SUITE_P(Every, WatchedTest,
                         testing::ValuesIn(tests::between_processes(ipc::watched_channels())),
                         [](const auto& each) { return tests::case_name(each.param.name); });

using Nanoseconds = std::chrono::steady_clock::rep;

Nanoseconds now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

// Receives until the end; checks every message.
void receive_all(ipc::AnyReceiver& receiver, std::size_t size) {
  std::vector<std::byte> buffer(size);
  for (std::uint64_t number = 0;; ++number) {
    const auto received = receiver.receive(buffer, Deadline::never());
    if (received.outcome == Outcome::closed) return;
    require(received == ipc::Received{Outcome::done, size} && tests::matches(buffer, number),
            "message " + std::to_string(number) + " is torn");
  }
}

// Sends until the end.
void send_all(ipc::AnySender& sender, std::size_t size) {
  std::uint64_t number = 0;
  while (sender.send(tests::message(number, size), Deadline::never()) == Outcome::done) ++number;
}

enum class Side { sender, receiver };

// Both sides at work, in a process each; one is killed. Returns how long the other one took to
// learn it; throws when it did not.
std::chrono::nanoseconds time_until_known(const ipc::AnyChannel& channel, Side killed,
                                          std::size_t size, std::chrono::microseconds moment) {
  const auto memory = ipc::Mapping::create(sizeof(std::atomic<Nanoseconds>));
  auto& known = *new (memory.data()) std::atomic<Nanoseconds>(0);
  std::optional ends(channel.open({.message_bytes = size}));
  const auto start = [&](Side side) {
    return ipc::Process([&, side] {
      auto [sender, receiver] = std::move(*ends);
      if (side == Side::sender) {
        { const auto gone = std::move(receiver); }
        send_all(sender, size);
      } else {
        { const auto gone = std::move(sender); }
        receive_all(receiver, size);
      }
      known.store(now());
      return 0;
    });
  };
  ipc::Process victim = start(killed);
  ipc::Process survivor = start(killed == Side::sender ? Side::receiver : Side::sender);
  ends.reset();
  std::this_thread::sleep_for(moment);
  const Nanoseconds killed_at = now();
  victim.kill(SIGKILL);
  victim.join();
  const auto status = survivor.join(Deadline::in(60s));
  require(status.has_value(), "the survivor does not know after 60 seconds");
  require(status->success(), "the survivor " + status->text());
  return std::chrono::nanoseconds(known.load() - killed_at);
}

TEST_P(WatchedTest, TheSurvivorLearnsThatItsPeerWasKilledAtAnyMoment) {
  constexpr std::size_t small_bytes = 48;
  const std::size_t large_bytes =
      std::min(GetParam().traits.message_bytes_max, std::size_t{64} << 10);
  std::mt19937 random(20250102);
  std::chrono::nanoseconds longest{0};
  for (int round = 0; round < 20; ++round) {
    const Side killed = round % 2 == 0 ? Side::sender : Side::receiver;
    const std::size_t size = round % 4 < 2 ? small_bytes : large_bytes;
    const std::chrono::microseconds moment(random() % 3000);
    SCOPED_TRACE("round " + std::to_string(round));
    longest = std::max(longest, time_until_known(GetParam(), killed, size, moment));
  }
  RecordProperty("known_ns_max", std::to_string(longest.count()));
  std::printf("known after %.1f ms at most\n", static_cast<double>(longest.count()) / 1e6);
}

// One of several that is killed is not the end.
TEST_P(WatchedTest, AnotherSenderIsStillHeard) {
  constexpr std::size_t size = 48;
  if (GetParam().traits.senders != ipc::Arity::many) GTEST_SKIP() << "it has one sender";
  auto ends = GetParam().open({});
  auto more = ends.first.clone();
  auto [peer, second] = tests::connect(tests::PeerKind::process, std::move(more),
                                       std::move(ends.first), [](ipc::AnySender&) {
                                         for (;;) std::this_thread::sleep_for(1h);
                                       });
  std::jthread later([&sender = *second] {
    std::this_thread::sleep_for(100ms);
    tests::send_number(sender, 7, size);
  });
  peer.kill();
  tests::expect_number(ends.second, 7, size);  // waits longer than it takes to see who is gone
  later.join();
  second.reset();
  tests::expect_closed(ends.second);
}

}  // namespace
