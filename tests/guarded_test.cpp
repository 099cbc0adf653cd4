// Data under a lock, for every lock.
#include "pools/guarded.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "ipc/locks.hpp"

namespace {

template <class L>
class Guarded : public testing::Test {};

struct LockName {
  template <class L>
  static std::string GetName(int) {
    return std::string(L::name);
  }
};

TYPED_TEST_SUITE(Guarded, ipc::ThreadLocks::into<testing::Types>, LockName);

TYPED_TEST(Guarded, ReadsAndWritesUnderTheLock) {
  pools::Guarded<std::vector<int>, TypeParam> numbers;
  numbers.with([](std::vector<int>& all) { all.push_back(3); });
  const auto& constant = numbers;
  EXPECT_EQ(constant.with([](const std::vector<int>& all) { return all.front(); }), 3);
}

TYPED_TEST(Guarded, IsBuiltFromArguments) {
  pools::Guarded<std::string, TypeParam> text(std::in_place, 3U, 'x');
  EXPECT_EQ(text.with([](std::string& all) { return all; }), "xxx");
}

TYPED_TEST(Guarded, AnExceptionLetsGo) {
  pools::Guarded<int, TypeParam> number;
  EXPECT_THROW(number.with([](int&) { throw std::runtime_error("inside"); }), std::runtime_error);
  EXPECT_EQ(number.with([](int& value) { return ++value; }), 1);
}

TYPED_TEST(Guarded, ThreadsTakeTurns) {
  pools::Guarded<long, TypeParam> number;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) number.with([](long& value) { value = value + 1; });
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(number.with([](long& value) { return value; }), 80'000);
}

TYPED_TEST(Guarded, ReadersAreInsideTogether) {
  if (!ipc::SharedLockable<TypeParam>) GTEST_SKIP() << "its readers take turns";
  const pools::Guarded<int, TypeParam> number(std::in_place, 7);
  int seen = 0;
  number.with([&](const int&) {
    std::thread([&] { seen = number.with([](const int& value) { return value; }); }).join();
  });
  EXPECT_EQ(seen, 7);
}

TYPED_TEST(Guarded, WhatMovesMayLeave) {
  pools::Guarded<std::unique_ptr<int>, TypeParam> owner(std::in_place, std::make_unique<int>(5));
  EXPECT_EQ(*owner.with([](std::unique_ptr<int>& held) { return std::move(held); }), 5);
}

}  // namespace
