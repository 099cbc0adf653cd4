// Arrays whose elements do not cross, over every pool.
#include "pools/shared_array.hpp"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/pool_fixture.hpp"

namespace {

using Numbers = pools::SharedArray<std::uint64_t>;
using SharedArrays = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, SharedArrays, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

std::uint64_t sum(const Numbers& numbers) {
  const auto all = numbers.span();
  return std::accumulate(all.begin(), all.end(), std::uint64_t{0});
}

Numbers counting(std::size_t count) {
  Numbers numbers(count);
  std::iota(numbers.span().begin(), numbers.span().end(), std::uint64_t{0});
  return numbers;
}

TEST_P(SharedArrays, ATaskReadsAndWritesTheElementsThemselves) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const Numbers numbers = counting(1000);  // after the pool
  EXPECT_EQ(pool.submit(sum, numbers).get(), 499'500U);
  pool.submit([](const Numbers& its, std::size_t at) { its[at] = 7; }, numbers, std::size_t{0})
      .get();
  EXPECT_EQ(numbers[0], 7U);
  numbers[1] = 100;
  EXPECT_EQ(pool.submit(sum, numbers).get(), 499'500U + 7 + 99);
}

TEST_P(SharedArrays, PartsAreTheSameElements) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const Numbers numbers = counting(10);
  EXPECT_EQ(pool.submit(sum, numbers.part(3, 4)).get(), 3U + 4 + 5 + 6);
  EXPECT_EQ(pool.submit(sum, numbers.part(3, 4).part(1, 1)).get(), 4U);
  EXPECT_EQ(pool.submit(sum, numbers.part(10, 0)).get(), 0U);
  EXPECT_EQ(pool.submit(sum, Numbers(0)).get(), 0U);
}

TEST_P(SharedArrays, ForEachChangesElementsInPlace) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const Numbers numbers = counting(100'000);
  pool.for_each([](std::uint64_t& number) { number *= 2; }, numbers);
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], 2 * i);
  pool.for_each([](std::uint64_t& number) { ++number; }, numbers.part(10, 5), 2);
  EXPECT_EQ(numbers[9], 18U);
  EXPECT_EQ(numbers[10], 21U);
  EXPECT_EQ(numbers[14], 29U);
  EXPECT_EQ(numbers[15], 30U);
  pool.for_each([](std::uint64_t& number) { ++number; }, Numbers(0));
}

TEST_P(SharedArrays, ForEachThrowsWhatATaskThrew) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const Numbers numbers = counting(100);
  const auto check = [](const std::uint64_t& number) {
    if (number == 50) throw std::out_of_range("fifty");
  };
  EXPECT_THROW(pool.for_each(check, numbers), std::out_of_range);
  EXPECT_THROW(pool.for_each(check, numbers, 0), std::invalid_argument);
}

TEST_P(SharedArrays, MapReadsThem) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const auto doubled = pool.map([](std::uint64_t number) { return 2 * number; }, counting(1000), 7);
  ASSERT_EQ(doubled.size(), 1000U);
  for (std::size_t i = 0; i < doubled.size(); ++i) ASSERT_EQ(doubled[i], 2 * i);
}

TEST_P(SharedArrays, WhatATaskWasGivenItMayGiveBack) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const auto half = [](const Numbers& all) { return all.part(5, 5); };
  const Numbers numbers = counting(10);
  const Numbers back = pool.submit(half, numbers).get();
  EXPECT_EQ(back.data(), numbers.data() + 5);
  EXPECT_EQ(back.size(), 5U);
  // Nobody else has it any more.
  const Numbers alone = pool.submit(half, counting(10)).get();
  EXPECT_EQ(sum(alone), 5U + 6 + 7 + 8 + 9);
  EXPECT_EQ(pool.submit(sum, alone).get(), sum(alone));
}

TEST_P(SharedArrays, TheCallersOwnRunGivesThemBackToo) {
  pools::AnyPool pool(
      GetParam(), {.workers = 1, .queue_capacity = 1, .when_full = pools::WhenFull::caller_runs});
  std::vector<pools::Future<Numbers>> futures;
  for (int i = 0; i < 10; ++i) {
    futures.push_back(pool.submit(
        [](Numbers all) {
          ::usleep(1000);
          return all;
        },
        counting(10)));
  }
  for (auto& future : futures) EXPECT_EQ(sum(future.get()), 45U);
}

TEST_P(SharedArrays, WhatATaskHasMadeEndsWithItsProcess) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto made = pool.submit(counting, std::size_t{10});
  if (GetParam().processes()) {
    EXPECT_THROW(made.get(), std::logic_error);
  } else {
    EXPECT_EQ(sum(made.get()), 45U);
  }
  EXPECT_EQ(pool.submit(sum, counting(10)).get(), 45U);
}

TEST_P(SharedArrays, TasksOfADeadWorkerFindThemAgain) {
  if (!GetParam().processes()) GTEST_SKIP() << "threads do not die alone";
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const Numbers numbers = counting(1000);
  EXPECT_EQ(pool.submit(sum, numbers).get(), 499'500U);
  EXPECT_THROW(pool.submit([](const Numbers&) { ::_exit(0); }, numbers).get(), pools::WorkerDied);
  EXPECT_EQ(pool.submit(sum, numbers).get(), 499'500U);
}

// The array is dropped as soon as the tasks have been submitted, while they wait for each other.
TEST_P(SharedArrays, ATaskKeepsItsArray) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  std::vector<pools::Future<std::uint64_t>> sums;
  for (int i = 0; i < 30; ++i) sums.push_back(pool.submit(sum, counting(1000)));
  for (auto& future : sums) EXPECT_EQ(future.get(), 499'500U);
}

TEST_P(SharedArrays, NothingIsLeftOpen) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  pools::AnyPool pool(GetParam(), {.workers = 1});
  // In the task's process: the worker, or this one.
  const auto open_there = [&] {
    return pool
        .submit(
            [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); })
        .get();
  };
  // A channel may open a descriptor or two when it is first full or empty.
  const auto there = open_there() + 2;
  const auto here = descriptors();
  for (int i = 0; i < 50; ++i) pool.submit(sum, counting(1000)).get();
  EXPECT_EQ(descriptors(), here);
  EXPECT_LE(open_there(), there + 8);
  pool_test::await([&] {
    pool_test::pause_ms(110);  // an idle worker lets go
    return open_there() <= there;
  });
}

TEST(SharedArray, PartsThatAreNotThereAreRefused) {
  const Numbers numbers(10);
  EXPECT_THROW((void)numbers.part(11, 0), std::out_of_range);
  EXPECT_THROW((void)numbers.part(5, 6), std::out_of_range);
  EXPECT_THROW(Numbers(static_cast<std::size_t>(-1)), std::bad_array_new_length);
}

TEST(SharedMemory, WhatIsGoneOrAnotherIsRefused) {
  pools::SharedMemoryHandle handle{};
  {
    const auto memory = pools::make_shared_memory(4096);
    handle = pools::handle_of(*memory);
    EXPECT_EQ(pools::size_of(*pools::open_shared_memory(handle)), 4096U);
    auto other = handle;
    ++other.inode;
    EXPECT_THROW(pools::open_shared_memory(other), std::runtime_error);
  }
  EXPECT_THROW(pools::open_shared_memory(handle), std::runtime_error) << "closed";
  const auto next = pools::make_shared_memory(4096);  // with the same number
  ASSERT_EQ(pools::handle_of(*next).descriptor, handle.descriptor);
  EXPECT_THROW(pools::open_shared_memory(handle), std::runtime_error) << "another's memory";
}

TEST(SharedMemories, KeepTheLastOnes) {
  const auto one = pools::make_shared_memory(1);
  const auto two = pools::make_shared_memory(1);
  const auto three = pools::make_shared_memory(1);
  pools::SharedMemories memories;
  for (const auto& memory : {one, two, three, three}) memories.add(memory);
  EXPECT_EQ(memories.open(pools::handle_of(*one)), one);  // is the last one now
  memories.keep_last(2);
  EXPECT_TRUE(memories.has(one));
  EXPECT_FALSE(memories.has(two));
  EXPECT_TRUE(memories.has(three));
  EXPECT_NE(memories.open(pools::handle_of(*two)), two) << "opened anew";
  memories.keep_last(0);
  EXPECT_TRUE(memories.empty());
}

}  // namespace
