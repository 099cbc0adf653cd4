// Duplex<C>: what the contract's suite, which runs over one direction of it, does not ask.
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/adapters/duplex.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::expect_closed;
using tests::expect_number;
using tests::send_number;
using namespace std::chrono_literals;

constexpr std::size_t size = 48;

using End = ipc::DuplexEnd<ipc::AnySender, ipc::AnyReceiver>;

class DuplexTest : public testing::TestWithParam<tests::ChannelCase> {
 protected:
  static std::pair<End, End> open() {
    auto there = GetParam().channel.open({});
    auto back = GetParam().channel.open({});
    return {End(std::move(there.first), std::move(back.second)),
            End(std::move(back.first), std::move(there.second))};
  }
  template <class Main>
  static auto connect(Main main) {
    auto ends = open();
    return tests::connect(GetParam().peer, std::move(ends.first), std::move(ends.second), main);
  }
};

INSTANTIATE_TEST_SUITE_P(Every, DuplexTest,
                         testing::ValuesIn(tests::channel_cases(ipc::all_channels())),
                         [](const auto& each) { return tests::name_of(each.param); });

TEST_P(DuplexTest, AQuestionIsAnswered) {
  auto [peer, end] = connect([](End& other) {
    for (std::uint64_t i = 0; i < 200; ++i) {
      expect_number(other, i, size);
      send_number(other, 1000 + i, size);
    }
    expect_closed(other);
  });
  for (std::uint64_t i = 0; i < 200; ++i) {
    send_number(*end, i, size);
    expect_number(*end, 1000 + i, size);
  }
  end.reset();
  EXPECT_EQ(peer.join(), "");
}

TEST_P(DuplexTest, WhatTheOtherEndSentBeforeItWentIsThere) {
  auto [peer, end] = connect([](End& other) { send_number(other, 1, size); });
  EXPECT_EQ(peer.join(), "");
  expect_number(*end, 1, size);
  expect_closed(*end);
  Outcome outcome = Outcome::done;  // a message or two may still go into the room that is left
  for (int i = 0; i < 3 && outcome == Outcome::done; ++i) {
    outcome = end->send(tests::message(0, size), Deadline::in(10s));
  }
  EXPECT_EQ(outcome, Outcome::closed);
}

// More in each direction than there is room for, so that neither may wait for the other.
TEST_P(DuplexTest, OneThreadSendsWhileAnotherReceives) {
  constexpr std::uint64_t messages = 2000;
  const auto both = [](End& end) {
    std::string failure;
    std::jthread sends([&] {
      try {
        for (std::uint64_t i = 0; i < messages; ++i) send_number(end, i, size);
      } catch (const std::exception& error) {
        failure = error.what();
      }
    });
    for (std::uint64_t i = 0; i < messages; ++i) expect_number(end, i, size);
    sends.join();
    tests::require(failure.empty(), failure);
  };
  auto [peer, end] = connect(both);
  both(*end);
  EXPECT_EQ(peer.join(), "");
}

}  // namespace
