// What moving pages adds to a pipe: memory that must not change while it is under way.
#include "ipc/channels/pipe_vmsplice.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;

constexpr std::size_t moved_bytes = std::size_t{64} << 10;

TEST(PipeVmsplice, WhatIsInThePipeDoesNotChange) {
  constexpr std::size_t most = std::size_t{150} << 10;
  std::mt19937 random(11);
  auto ends = ipc::PipeVmsplice::open({.message_bytes = most});
  std::deque<std::size_t> under_way;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  for (int step = 0; step < 4000; ++step) {
    // As full as it gets, then partly empty: every page meets every place. Short ones in between.
    const std::size_t size = 1 + random() % (random() % 4 == 0 ? 1000 : most);
    if (ends.first.send(tests::message(sent, size), Deadline::now()) == Outcome::done) {
      under_way.push_back(size);
      ++sent;
    }
    if (random() % 2 != 0) continue;
    if (under_way.empty()) {  // but perhaps a part of one that did not fit: it is dropped
      std::vector<std::byte> buffer(most);
      ASSERT_EQ(ends.second.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
      continue;
    }
    tests::expect_number(ends.second, received, under_way.front(), Deadline::now());
    under_way.pop_front();
    ++received;
  }
  EXPECT_GT(received, 500U);
}

TEST(PipeVmsplice, TheCallersBufferIsFreeWhenSendReturns) {
  auto ends = ipc::PipeVmsplice::open({.message_bytes = moved_bytes});
  std::vector<std::byte> buffer = tests::message(1, moved_bytes);
  ASSERT_EQ(ends.first.send(buffer, Deadline::never()), Outcome::done);
  std::fill(buffer.begin(), buffer.end(), std::byte{0});
  tests::expect_number(ends.second, 1, moved_bytes);
}

TEST(PipeVmsplice, PagesUnderWayOutliveTheirSender) {
  auto ends = ipc::PipeVmsplice::open({.message_bytes = moved_bytes});
  tests::send_number(ends.first, 1, moved_bytes);
  tests::send_number(ends.first, 2, moved_bytes);
  { const auto gone = std::move(ends.first); }
  // Whatever is mapped and written now, in the same place most likely, does not show.
  std::vector<std::vector<std::byte>> others;
  for (int i = 0; i < 8; ++i) others.emplace_back(std::size_t{1} << 19, std::byte{7});
  tests::expect_number(ends.second, 1, moved_bytes);
  tests::expect_number(ends.second, 2, moved_bytes);
  tests::expect_closed(ends.second);
}

TEST(PipeVmsplice, PagesUnderWayOutliveTheForkOfTheirSender) {
  auto ends = ipc::PipeVmsplice::open({.message_bytes = moved_bytes});
  tests::send_number(ends.first, 0, moved_bytes);
  ipc::Process heir([&] {
    for (std::uint64_t i = 1; i < 100; ++i) tests::send_number(ends.first, i, moved_bytes);
    return 0;
  });
  { const auto gone = std::move(ends.first); }
  for (std::uint64_t i = 0; i < 100; ++i) tests::expect_number(ends.second, i, moved_bytes);
  tests::expect_closed(ends.second);
  EXPECT_TRUE(heir.join()->success());
}

// Write calls of this process so far (proc(5), /proc/PID/io); vmsplice is none.
std::optional<std::uint64_t> writes_so_far() {
  std::ifstream io("/proc/self/io");
  for (std::string name; io >> name;) {
    std::uint64_t value = 0;
    io >> value;
    if (name == "syscw:") return value;
  }
  return std::nullopt;
}

TEST(PipeVmsplice, LongMessagesAreMovedAndShortOnesWritten) {
  if (!writes_so_far()) GTEST_SKIP() << "the kernel does not count calls in /proc/self/io";
  auto ends = ipc::PipeVmsplice::open({.message_bytes = moved_bytes});
  const auto writes_for = [&](std::size_t size) {
    const auto before = writes_so_far();
    for (std::uint64_t i = 0; i < 10; ++i) {
      tests::send_number(ends.first, i, size);
      tests::expect_number(ends.second, i, size);
    }
    return *writes_so_far() - *before;
  };
  EXPECT_EQ(writes_for(64), 10U);
  EXPECT_LT(writes_for(moved_bytes), 10U);  // a rest, where the ring ends
}

}  // namespace
