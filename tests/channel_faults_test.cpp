// What a channel does when a peer is killed, stopped short, or hands an end on: over every channel,
// between processes. The deadlock guard is the time limit of ctest.
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <new>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::expect_closed;
using tests::expect_number;
using tests::PeerKind;
using tests::require;
using tests::send_number;
using namespace std::chrono_literals;

constexpr std::size_t small_bytes = 48;

class ChannelFaultTest : public testing::TestWithParam<ipc::AnyChannel> {
 protected:
  [[nodiscard]] static const ipc::AnyChannel& channel() { return GetParam(); }
  [[nodiscard]] static const ipc::Traits& traits() { return channel().traits; }
};

INSTANTIATE_TEST_SUITE_P(Every, ChannelFaultTest,
                         testing::ValuesIn(tests::between_processes(ipc::all_channels())),
                         [](const auto& each) { return tests::case_name(each.param.name); });
INSTANTIATE_TEST_SUITE_P(Adapted, ChannelFaultTest,
                         testing::ValuesIn(tests::between_processes(tests::adapted_channels())),
                         [](const auto& each) { return tests::case_name(each.param.name); });

// Sleeps until it is killed.
void wait_to_be_killed() {
  for (;;) std::this_thread::sleep_for(1h);
}

TEST_P(ChannelFaultTest, AReceiverLearnsThatItsSenderWasKilled) {
  auto [peer, receiver] =
      tests::connect_to_sender(channel(), PeerKind::process, {}, [](auto& sender) {
        send_number(sender, 0, small_bytes);
        wait_to_be_killed();
      });
  expect_number(*receiver, 0, small_bytes);
  std::vector<std::byte> buffer(4096);
  EXPECT_EQ(receiver->receive(buffer, Deadline::in(20ms)).outcome, Outcome::timed_out);
  peer.kill();
  // Without a deadline only where the mechanism tells; with one always.
  if (traits().tells_of_peer_death()) {
    expect_closed(*receiver, Deadline::never());
  } else {
    expect_closed(*receiver, Deadline::in(200ms));
  }
}

TEST_P(ChannelFaultTest, ASenderLearnsThatItsReceiverWasKilled) {
  auto [peer, sender] =
      tests::connect_to_receiver(channel(), PeerKind::process, {}, [](auto& receiver) {
        expect_number(receiver, 0, small_bytes);
        wait_to_be_killed();
      });
  send_number(*sender, 0, small_bytes);
  Outcome outcome = Outcome::done;
  for (std::uint64_t i = 1; outcome == Outcome::done; ++i) {  // until it is full
    outcome = sender->send(tests::message(i, small_bytes), Deadline::in(50ms));
  }
  EXPECT_EQ(outcome, Outcome::timed_out);
  peer.kill();
  do {  // a peer that took its message late has made room
    outcome =
        sender->send(tests::message(0, small_bytes),
                     traits().tells_of_peer_death() ? Deadline::never() : Deadline::in(200ms));
  } while (outcome == Outcome::done);
  EXPECT_EQ(outcome, Outcome::closed);
}

// A sender that is killed at a random moment of its work: what arrives is whole and in order.
TEST_P(ChannelFaultTest, ASenderKilledAtAnyMomentLeavesNoTornMessage) {
  const std::size_t large_bytes = std::min(traits().message_bytes_max, std::size_t{64} << 10);
  std::mt19937 random(20250101);
  for (int round = 0; round < 20; ++round) {
    const std::size_t size = round % 2 == 0 ? small_bytes : large_bytes;
    auto connected = tests::connect_to_sender(channel(), PeerKind::process, {.message_bytes = size},
                                              [size](auto& sender) {
                                                for (std::uint64_t i = 0;; ++i)
                                                  send_number(sender, i, size);
                                              });
    std::vector<std::byte> buffer(size);
    std::uint64_t next = 0;
    const auto receive_one = [&](Deadline deadline) {
      ipc::Received received{};
      try {
        received = connected.end->receive(buffer, deadline);
      } catch (const std::system_error& error) {
        // A lock of Boost that died with its owner: the channel is lost, and says so.
        EXPECT_FALSE(traits().waiter_may_be_killed) << error.what();
        return false;
      }
      if (received.outcome != Outcome::done) {
        EXPECT_EQ(received.outcome, Outcome::closed);
        return false;
      }
      EXPECT_EQ(received.size, size);
      EXPECT_TRUE(tests::matches(ipc::Bytes(buffer).first(received.size), next));
      ++next;
      return !testing::Test::HasFailure();
    };
    const auto until = Deadline::in(std::chrono::microseconds(random() % 3000));
    while (!until.expired() && receive_one(Deadline::in(10s))) {
    }
    connected.peer.kill();
    while (receive_one(Deadline::in(200ms))) {
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round;
  }
}

// An end goes to a process that did not inherit it.
TEST_P(ChannelFaultTest, AnEndCanBeHandedOver) {
  std::array<int, 2> sockets{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()), 0);
  ipc::Fd ours(sockets[0]);
  ipc::Fd theirs(sockets[1]);
  const ipc::Options options{.message_bytes = 4096, .handed_over = true};
  // The peer is forked first: it inherits neither channel.
  ipc::Process peer([&] {
    ours.reset();
    auto first = ipc::Parcel::receive(theirs);
    auto receiver = channel().unpack_receiver(*first);
    auto second = ipc::Parcel::receive(theirs);
    auto sender = channel().unpack_sender(*second);
    for (std::uint64_t i = 0; i < 100; ++i) {
      expect_number(receiver, i, small_bytes);
      send_number(sender, i, small_bytes);
    }
    expect_closed(receiver);
    return 0;
  });
  theirs.reset();
  auto there = channel().open(options);
  auto back = channel().open(options);
  ipc::Parcel first;
  std::move(there.second).pack(first);
  ASSERT_TRUE(first.send(ours));
  first = {};
  ipc::Parcel second;
  std::move(back.first).pack(second);
  ASSERT_TRUE(second.send(ours));
  second = {};
  for (std::uint64_t i = 0; i < 100; ++i) {
    send_number(there.first, i, small_bytes);
    expect_number(back.second, i, small_bytes);
  }
  { const auto gone = std::move(there.first); }
  EXPECT_EQ(peer.join()->text(), "exited with code 0");
  expect_closed(back.second);
}

// An end that is handed on knows what there is room for, wherever in its stream it is.
TEST_P(ChannelFaultTest, AnEndThatIsHandedOnInTheMiddleOverwritesNothing) {
  auto ends = channel().open({.message_bytes = small_bytes,
                              .capacity = {.bytes = 4096, .messages = 8},
                              .handed_over = true});
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  const auto fill = [&] {
    while (ends.first.send(tests::message(sent, small_bytes), Deadline::now()) == Outcome::done) {
      ++sent;
    }
  };
  fill();
  for (; received < sent; ++received) expect_number(ends.second, received, small_bytes);
  fill();
  ipc::Parcel parcel;
  std::move(ends.first).pack(parcel);
  ends.first = channel().unpack_sender(parcel);
  fill();
  for (; received < sent; ++received) expect_number(ends.second, received, small_bytes);
}

// What the kernel would keep of a process that is gone: names in /dev/shm that carry its pid, and
// the System V objects of this process's IPC namespace.
std::string left_behind(pid_t pid) {
  std::string found;
  const std::string mine = "ipc-compare." + std::to_string(pid) + ".";
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (entry.path().filename().string().starts_with(mine)) found += entry.path().string() + "\n";
  }
  for (const std::string kind : {"msg", "shm", "sem"}) {
    std::ifstream list("/proc/sysvipc/" + kind);
    std::string line;
    std::getline(list, line);  // the heading
    while (std::getline(list, line)) found += kind + line + "\n";
  }
  return found;
}

TEST_P(ChannelFaultTest, NothingIsLeftWhenEverybodyIsKilled) {
  // In an IPC namespace of its own, where nobody else's queues come and go.
  constexpr int no_namespace = 77;
  ipc::Process lab([] {
    if (::unshare(CLONE_NEWIPC) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWIPC) != 0) {
      return no_namespace;
    }
    for (const bool handed_over : {false, true}) {
      const auto memory = ipc::Mapping::create(sizeof(std::atomic<bool>));
      auto& has_sent = *new (memory.data()) std::atomic<bool>(false);
      ipc::Process user([&] {
        auto ends = channel().open({.handed_over = handed_over});
        send_number(ends.first, 0, small_bytes);
        has_sent = true;
        wait_to_be_killed();
        return 0;
      });
      const pid_t pid = user.pid();
      while (!has_sent) {
        require(!user.join(Deadline::in(1ms)), "the user has ended");
      }
      user.kill(SIGKILL);
      user.join();
      // What a guardian removes, it removes soon after.
      const auto guard = Deadline::in(60s);
      while (!guard.expired() && !left_behind(pid).empty()) std::this_thread::sleep_for(10ms);
      require(left_behind(pid).empty(), "left behind: " + left_behind(pid));
    }
    return 0;
  });
  const auto status = lab.join();
  if (status->code == no_namespace) GTEST_SKIP() << "no IPC namespace may be made here";
  EXPECT_TRUE(status->success()) << status->text();
}

std::size_t open_descriptors() {
  const auto fds = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

TEST_P(ChannelFaultTest, DescriptorsAreGivenBack) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    auto ends = channel().open({});
    send_number(ends.first, 0, small_bytes);
    expect_number(ends.second, 0, small_bytes);
    auto moved = std::move(ends.first);
    ends.first = std::move(moved);
    send_number(ends.first, 1, small_bytes);
  }
  EXPECT_EQ(open_descriptors(), before);
}

std::set<int> descriptors_without_close_on_exec() {
  std::set<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags != -1 && (flags & FD_CLOEXEC) == 0) found.insert(fd);
  }
  return found;
}

TEST_P(ChannelFaultTest, NoDescriptorSurvivesExec) {
  const auto before = descriptors_without_close_on_exec();
  auto ends = channel().open({});
  EXPECT_EQ(descriptors_without_close_on_exec(), before);
}

}  // namespace
