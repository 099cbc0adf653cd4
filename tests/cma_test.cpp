// What cma promises beyond the contract: a message lives in its sender's memory, and what becomes
// of it when the sender goes.
#include "ipc/channels/cma.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Cma;
using ipc::Deadline;
using ipc::Outcome;
using tests::expect_closed;
using tests::expect_number;
using tests::send_number;
using namespace std::chrono_literals;

constexpr std::size_t bytes = 100;

// Sends five messages in a process of its own, and ends as `go` says; our copy of the sender stays.
template <class Go>
void send_from_a_process(std::optional<Cma::Sender>& sender, Go go) {
  ipc::Process process([&] {
    for (std::uint64_t i = 0; i < 5; ++i) send_number(*sender, i, bytes);
    go();
    return 0;
  });
  process.join();
}

struct Ends {
  Ends() {
    auto both = Cma::open({.message_bytes = bytes});
    sender.emplace(std::move(both.first));
    receiver.emplace(std::move(both.second));
  }
  std::optional<Cma::Sender> sender;
  std::optional<Cma::Receiver> receiver;
};

TEST(CmaTest, ASenderThatGoesInOrderLeavesItsMessagesThoughACopyOfItStays) {
  Ends ends;
  send_from_a_process(ends.sender, [&] { ends.sender.reset(); });
  for (std::uint64_t i = 0; i < 5; ++i) expect_number(*ends.receiver, i, bytes);
  std::array<std::byte, bytes> buffer{};
  EXPECT_EQ(ends.receiver->receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
  send_number(*ends.sender, 5, bytes);  // the copy goes on where the other one ended
  ends.sender.reset();
  expect_number(*ends.receiver, 5, bytes);
  expect_closed(*ends.receiver);
}

TEST(CmaTest, WhatAKilledSenderHadSentIsGoneAndTheReceiverIsToldSo) {
  static_assert(!Cma::traits.sent_outlives_sender);
  Ends ends;
  send_from_a_process(ends.sender, [] { ::kill(::getpid(), SIGKILL); });
  std::array<std::byte, bytes> buffer{};
  for (const Deadline deadline : {Deadline::never(), Deadline::now(), Deadline::in(20ms)}) {
    EXPECT_EQ(ends.receiver->receive(buffer, deadline).outcome, Outcome::closed);
  }
}

TEST(CmaTest, ASenderThatForksGoesOnInTheChild) {
  Ends ends;
  send_number(*ends.sender, 0, bytes);
  ipc::Process child([&] {
    send_number(*ends.sender, 1, bytes);
    ends.sender.reset();
    return 0;
  });
  EXPECT_TRUE(child.join()->success());
  ends.sender.reset();
  expect_number(*ends.receiver, 0, bytes);
  expect_number(*ends.receiver, 1, bytes);
  expect_closed(*ends.receiver);
}

TEST(CmaTest, AnOrderlySenderThatIsReadMeanwhileLosesNothing) {
  for (int round = 0; round < 200; ++round) {
    Ends ends;
    std::jthread thread([sender = std::move(*ends.sender)]() mutable {
      for (std::uint64_t i = 0; i < 20; ++i) send_number(sender, i, bytes);
      const Cma::Sender gone = std::move(sender);
    });
    ends.sender.reset();
    for (std::uint64_t i = 0; i < 20; ++i) expect_number(*ends.receiver, i, bytes);
    expect_closed(*ends.receiver);
  }
}

TEST(CmaTest, ARefusalOfTheKernelNamesItsReasonsAndKeepsTheMessage) {
  Ends ends;
  ipc::Process sender([&] {
    ::prctl(PR_SET_DUMPABLE, 0);
    send_number(*ends.sender, 0, bytes);
    ipc::Process receiver([&] {
      // Without the right to trace: root gives it up, others have none.
      if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 1;
      std::array<std::byte, bytes> buffer{};
      for (int i = 0; i < 2; ++i) {
        try {
          ends.receiver->receive(buffer, Deadline::in(10s));
          return 2;
        } catch (const std::system_error& error) {
          const std::string what = error.what();
          if (error.code() != std::errc::operation_not_permitted) return 3;
          if (what.find("process_vm_readv") == std::string::npos) return 4;
          if (what.find("/proc/sys/kernel/yama/ptrace_scope") == std::string::npos) return 5;
        }
      }
      return 0;
    });
    return receiver.join()->code;
  });
  EXPECT_EQ(sender.join()->text(), "exited with code 0");
}

}  // namespace
