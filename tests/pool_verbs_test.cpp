// What every pool promises about calls over ranges, clause by clause, over all of them.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <forward_list>
#include <iterator>
#include <list>
#include <ranges>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pools/wait.hpp"
#include "tests/pool_fixture.hpp"
#include "tests/throwing_range.hpp"

namespace {

using pool_test::numbers;
using pool_test::pause_ms;
using pool_test::SharedMemory;
using pool_test::Throwing;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

using PoolVerbs = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolVerbs, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

int twice(int value) {
  return value * 2;
}

std::vector<int> doubled(int count) {
  auto all = numbers(count);
  for (int& each : all) each = twice(each);
  return all;
}

template <class Range>
auto read_all(Range&& range) {
  std::vector<typename std::remove_cvref_t<Range>::Result> all;
  for (auto&& each : range) all.push_back(std::move(each));
  return all;
}

// 0, 1, 2...; not one of them is in memory.
struct Counting {
  struct Iterator {
    using value_type = int;
    using difference_type = std::ptrdiff_t;

    int at = 0;

    int operator*() const { return at; }
    Iterator& operator++() {
      ++at;
      return *this;
    }
    void operator++(int) { ++at; }
    bool operator==(const Iterator&) const = default;
  };

  int count;

  int operator[](std::ptrdiff_t at) const { return static_cast<int>(at); }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(count); }
  [[nodiscard]] Iterator begin() const { return {}; }
  [[nodiscard]] Iterator end() const { return {count}; }
};

// Each item is counted when it is read.
struct Counted {
  struct Iterator {
    using value_type = int;
    using difference_type = std::ptrdiff_t;

    int* read = nullptr;
    int at = 0;

    int operator*() const {
      ++*read;
      return at;
    }
    Iterator& operator++() {
      ++at;
      return *this;
    }
    void operator++(int) { ++at; }
    bool operator==(const Iterator& other) const { return at == other.at; }
  };

  int* read;
  int count;

  [[nodiscard]] Iterator begin() const { return {read, 0}; }
  [[nodiscard]] Iterator end() const { return {read, count}; }
};

}  // namespace

template <>
inline constexpr bool pools::self_contained<Counting> = true;

namespace {

TEST_P(PoolVerbs, ApplyWaitsForOneCall) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  EXPECT_EQ(pool.apply(twice, 5), 10);
  pool.apply([] {});
  EXPECT_THROW(pool.apply([] { throw std::out_of_range("x"); }), std::out_of_range);
}

TEST_P(PoolVerbs, MapTakesRangesOfEveryKind) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const auto expected = doubled(100);
  const auto all = numbers(100);
  EXPECT_EQ(pool.map(twice, all), expected);
  EXPECT_EQ(pool.map(twice, all, 20), expected);
  EXPECT_EQ(pool.map(twice, std::list<int>(all.begin(), all.end())), expected);
  EXPECT_EQ(pool.map(twice, std::forward_list<int>(all.begin(), all.end()), 7), expected);
  EXPECT_THAT(pool.map(twice, Throwing(-1)), ElementsAreArray(doubled(10)));
  const int array[] = {3, 1, 2};
  EXPECT_THAT(pool.map(twice, array), ElementsAre(6, 2, 4));
}

TEST_P(PoolVerbs, ARangeThatIsItsOwnBytesTravelsAsItIs) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  EXPECT_EQ(pool.map(twice, Counting{100}), doubled(100));
  EXPECT_EQ(pool.map(twice, Counting{100}, 7), doubled(100));
  const Counting ten{10};
  EXPECT_EQ(pool.map_async(twice, ten, 3).get(), doubled(10));
  EXPECT_EQ(read_all(pool.imap(twice, ten, {.chunk = 4})), doubled(10));
#if !defined(__clang__) || __clang_major__ >= 16  // cannot read the views of GCC 12's library
  EXPECT_EQ(pool.map(twice, std::views::iota(0, 100)), doubled(100));
  EXPECT_EQ(
      pool.map([](int x) { return x; }, std::views::iota(0, 100) | std::views::transform(twice), 9),
      doubled(100));
#endif
}

TEST_P(PoolVerbs, MapTakesItemsAndGivesResultsOfEveryKind) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const std::vector<std::string> words{"a", "bb", "", std::string(5000, 'c')};
  EXPECT_THAT(pool.map([](const std::string& word) { return word + word; }, words, 1),
              ElementsAre("aa", "bbbb", "", std::string(10000, 'c')));
  EXPECT_THAT(pool.map([](std::string word) { return word.size(); }, words),
              ElementsAre(1, 2, 0, 5000));
  EXPECT_THAT(pool.map([](int x) { return x % 2 == 0; }, numbers(3)),
              ElementsAre(true, false, true));
  EXPECT_THAT(pool.map([](bool x) { return !x; }, std::vector{true, false, true}),
              ElementsAre(false, true, false));
}

TEST_P(PoolVerbs, ManyPlainItemsCross) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const std::size_t count = 200'000;
  std::vector<std::uint64_t> items(count);
  for (std::size_t i = 0; i < count; ++i) items[i] = i * 3;
  const auto results = pool.map([](std::uint64_t x) { return x + 1; }, items);
  ASSERT_EQ(results.size(), count);
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(results[i], i * 3 + 1);
}

TEST_P(PoolVerbs, StarmapTakesTuplesOfArguments) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const auto minus = [](int a, int b) { return a - b; };
  std::vector<std::pair<int, int>> pairs;
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) {
    pairs.emplace_back(3 * i, i);
    expected.push_back(2 * i);
  }
  EXPECT_EQ(pool.starmap(minus, pairs, 20), expected);
  EXPECT_EQ(pool.starmap_async(minus, pairs).get(), expected);
  EXPECT_THAT(pool.starmap([](std::string a, int b, char c) { return a + std::to_string(b) + c; },
                           std::vector{std::tuple(std::string("a"), 1, 'x'),
                                       std::tuple(std::string("b"), 2, 'y')}),
              ElementsAre("a1x", "b2y"));
}

TEST_P(PoolVerbs, MapAsyncIsOneFutureOfAll) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  auto all = pool.map_async(
      [to = shared.get()](int x) {
        pool_test::await([&] { return to->open.load(); });
        return twice(x);
      },
      numbers(20), 3);
  EXPECT_FALSE(all.ready());
  shared->open = true;
  EXPECT_EQ(all.error(), nullptr);
  EXPECT_EQ(all.get(), doubled(20));

  auto failing = pool.map_async(
      [](int x) {
        if (x >= 5) throw std::out_of_range(std::to_string(x));
        return x;
      },
      numbers(9), 1);
  failing.wait();
  try {
    failing.get();
    FAIL() << "nothing was thrown";
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "5");
  }
}

TEST_P(PoolVerbs, MapAsyncCallsBackOnce) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::atomic<int> calls{0};
  std::vector<int> given;
  pool.map_async(twice, numbers(50), 6).then([&](pools::Future<std::vector<int>> all) {
    given = all.get();
    ++calls;
  });
  pool_test::await([&] { return calls == 1; });
  EXPECT_EQ(given, doubled(50));
  pool.map_async([](int x) -> int { throw std::range_error(std::to_string(x)); }, numbers(9), 2)
      .then([&](pools::Future<std::vector<int>> all) {
        EXPECT_THROW(all.get(), std::range_error);
        ++calls;
      });
  pool_test::await([&] { return calls == 2; });
  pool.close();
  pool.join();
  EXPECT_EQ(calls, 2);
}

TEST_P(PoolVerbs, MapAsyncIsCancelledChunkByChunk) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1, .prefetch = 1});
  auto blocker = pool.submit([to = shared.get()] {
    ++to->ran;
    pool_test::await([&] { return to->open.load(); });
  });
  pool_test::await([&] { return shared->ran == 1; });
  auto all = pool.map_async(twice, numbers(20), 4);
  EXPECT_EQ(all.state(), pools::Phase::pending);
  EXPECT_TRUE(all.cancel());
  EXPECT_TRUE(all.cancelled());
  EXPECT_THROW(all.get(), pools::Cancelled);
  shared->open = true;
  blocker.get();
}

TEST_P(PoolVerbs, ImapGivesTheOrderOfTheItems) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  EXPECT_EQ(read_all(pool.imap(twice, numbers(300))), doubled(300));
  EXPECT_EQ(read_all(pool.imap(twice, numbers(1000), {.chunk = 100})), doubled(1000));
  EXPECT_EQ(read_all(pool.imap(twice, numbers(10), {.chunk = 3, .look_ahead = 1})), doubled(10));
  auto range = pool.imap(twice, numbers(1));
  auto at = range.begin();
  EXPECT_EQ(*at, 0);
  ++at;
  EXPECT_TRUE(at == range.end());
}

TEST_P(PoolVerbs, ImapUnorderedGivesEveryResult) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  EXPECT_THAT(read_all(pool.imap_unordered(twice, numbers(300))),
              UnorderedElementsAreArray(doubled(300)));
  EXPECT_THAT(read_all(pool.imap_unordered(twice, numbers(1000), {.chunk = 100})),
              UnorderedElementsAreArray(doubled(1000)));
}

TEST_P(PoolVerbs, ImapUnorderedGivesFirstWhatIsReadyFirst) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2, .prefetch = 1});
  auto range = pool.imap_unordered(
      [to = shared.get()](int x) {
        if (x == 0) pool_test::await([&] { return to->open.load(); });
        return x;
      },
      numbers(4));
  auto at = range.begin();
  EXPECT_NE(*at, 0);
  shared->open = true;
  int left = 0;
  for (; at != range.end(); ++at) ++left;
  EXPECT_EQ(left, 4);
}

TEST_P(PoolVerbs, EmptyRangesGiveNothingAtOnce) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const std::vector<int> none;
  EXPECT_THAT(pool.map(twice, none, 1), IsEmpty());
  EXPECT_THAT(pool.map(twice, Counting{0}), IsEmpty());
  auto all = pool.map_async(twice, none);
  EXPECT_TRUE(all.ready());
  EXPECT_THAT(all.get(), IsEmpty());
  EXPECT_THAT(pool.starmap([](int a, int b) { return a + b; }, std::vector<std::pair<int, int>>{}),
              IsEmpty());
  EXPECT_THAT(read_all(pool.imap(twice, none)), IsEmpty());
  EXPECT_THAT(read_all(pool.imap_unordered(twice, none)), IsEmpty());
  pool.for_each([](int) {}, none);
}

TEST_P(PoolVerbs, AChunkOfZeroIsRefusedByAll) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const auto count = [to = shared.get()](int x) {
    ++to->ran;
    return x;
  };
  EXPECT_THROW(pool.map(count, numbers(3), 0), std::invalid_argument);
  EXPECT_THROW(pool.map(count, Throwing(0), 0), std::invalid_argument);
  EXPECT_THROW(pool.map_async(count, numbers(3), 0), std::invalid_argument);
  EXPECT_THROW(pool.for_each(count, numbers(3), 0), std::invalid_argument);
  EXPECT_THROW(pool.imap(count, numbers(3), {.chunk = 0}), std::invalid_argument);
  EXPECT_THROW(pool.imap_unordered(count, numbers(3), {.chunk = 0}), std::invalid_argument);
  pool.close();
  pool.join();
  EXPECT_EQ(shared->ran, 0);
}

TEST_P(PoolVerbs, ARangeThatThrowsCostsOnlyItsCall) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  for (const int bad : {0, 3, 7}) {
    for (const std::size_t chunk : {1U, 2U, 4U}) {
      for (int round = 0; round < 2; ++round) {
        SCOPED_TRACE("item " + std::to_string(bad) + ", chunk " + std::to_string(chunk));
        EXPECT_THROW(pool.map(twice, Throwing(bad), chunk), std::domain_error);
        EXPECT_THROW(pool.map_async(twice, Throwing(bad), chunk), std::domain_error);
        for (const auto order : {pools::Order::of_items, pools::Order::of_completion}) {
          const pools::ImapOptions options{.chunk = chunk};
          std::vector<int> read;
          const auto read_from = [&](auto range) {
            for (const int each : range) read.push_back(each);
          };
          if (order == pools::Order::of_items) {
            EXPECT_THROW(read_from(pool.imap(twice, Throwing(bad), options)), std::domain_error);
          } else {
            EXPECT_THROW(read_from(pool.imap_unordered(twice, Throwing(bad), options)),
                         std::domain_error);
          }
          const int whole = bad / static_cast<int>(chunk) * static_cast<int>(chunk);
          EXPECT_THAT(read, UnorderedElementsAreArray(doubled(whole)));
        }
      }
    }
  }
  EXPECT_EQ(pool.map(twice, Throwing(-1), 3), doubled(10));
}

TEST_P(PoolVerbs, ImapGoesOnBehindAChunkThatThrew) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  auto range = pool.imap(
      [](int x) {
        if (x == 1) throw std::out_of_range("one");
        return x;
      },
      numbers(3));
  auto at = range.begin();
  EXPECT_EQ(*at, 0);
  EXPECT_THROW(++at, std::out_of_range);
  ASSERT_FALSE(at == range.end());
  ++at;
  EXPECT_EQ(*at, 2);
  ++at;
  EXPECT_TRUE(at == range.end());
}

TEST_P(PoolVerbs, ImapReadsNoFurtherAheadThanItMay) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  int read = 0;
  auto range = pool.imap(twice, Counted{&read, 1000}, {.chunk = 5, .look_ahead = 3});
  EXPECT_EQ(read, 15);
  auto at = range.begin();
  EXPECT_EQ(read, 20);
  for (int i = 0; i < 4; ++i) ++at;
  EXPECT_EQ(read, 20);
  ++at;
  EXPECT_EQ(read, 25);
}

TEST_P(PoolVerbs, ImapThatIsDroppedCancelsWhatIsNotBegun) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1, .prefetch = 1});
  {
    auto range = pool.imap(
        [to = shared.get()](int x) {
          ++to->ran;
          pool_test::await([&] { return to->open.load(); });
          return x;
        },
        numbers(100), {.look_ahead = 20});
    pool_test::await([&] { return shared->ran == 1; });
  }
  shared->open = true;
  pool.close();
  pool.join();
  EXPECT_EQ(shared->ran, 1);
}

TEST_P(PoolVerbs, ImapWithATimeoutGivesWhatIsThereAndCancelsTheRest) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1, .prefetch = 1});
  std::vector<int> read;
  const auto read_from = [&](auto range) {
    for (const int each : range) read.push_back(each);
  };
  auto range = pool.imap(
      [to = shared.get()](int x) {
        ++to->ran;
        if (x == 2) pool_test::await([&] { return to->open.load(); });
        return x;
      },
      numbers(10), {.look_ahead = 10, .timeout = std::chrono::milliseconds(200)});
  pool_test::await([&] { return shared->ran == 3; });  // 0 and 1 are answered, however slowly
  EXPECT_THROW(read_from(std::move(range)), pools::TimedOut);
  EXPECT_THAT(read, ElementsAre(0, 1));
  shared->open = true;
  EXPECT_EQ(pool.apply(twice, 1), 2);
  EXPECT_EQ(shared->ran, 3);
}

}  // namespace
