// What every pool promises about tasks and their answers, clause by clause, over all of them.
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <vector>

#include "ipc/channels/pipe.hpp"
#include "pools/pool.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using pool_test::numbers;
using pool_test::pause_ms;
using pool_test::SharedMemory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using PoolConformance = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolConformance, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

static_assert(pools::Pool<pools::ProcessPool<ipc::Pipe>> &&
              pools::Pool<pools::ThreadPool<ipc::StdMutex>>);

int twice(int value) {
  return value * 2;
}

struct Point {
  int x;
  double y;
  friend bool operator==(const Point&, const Point&) = default;
};

struct Custom {
  std::string text;
};

struct CustomError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Can be sent, but not be read.
struct Unreadable {
  std::string text;

  template <class Archive>
  void save(Archive& archive) const {
    archive(text);
  }
  template <class Archive>
  void load(Archive&) {
    throw std::domain_error("cannot be read");
  }
};

TEST_P(PoolConformance, SubmitGivesTheValue) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  int five = 5;
  EXPECT_EQ(pool.submit(twice, 21).get(), 42);
  EXPECT_EQ(pool.submit(&twice, five).get(), 10);
  EXPECT_EQ(pool.submit([five](int x) { return five + x; }, 1).get(), 6);
  EXPECT_EQ(pool.submit(
                    [](Point p) {
                      return Point{p.x + 1, p.y};
                    },
                    Point{1, 2.5})
                .get(),
            (Point{2, 2.5}));
  pool.submit([] {}).get();
}

TEST_P(PoolConformance, ValuesOfEveryKindCross) {
  using Words = std::map<std::string, std::vector<std::string>>;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const Words words{{"a", {"x", ""}}, {"", {}}};
  EXPECT_EQ(pool.submit([](Words all) { return all; }, words).get(), words);
  EXPECT_EQ(pool.submit([](const std::string& a, std::string b) { return a + b; },
                        std::string("left "), std::string("right"))
                .get(),
            "left right");
  EXPECT_EQ(pool.submit([](std::tuple<int, std::optional<std::string>> both) { return both; },
                        std::tuple(1, std::optional<std::string>("s")))
                .get(),
            std::tuple(1, std::optional<std::string>("s")));
  EXPECT_EQ(
      pool.submit([](std::vector<bool> bits) { return bits; }, std::vector{true, false}).get(),
      (std::vector{true, false}));
  EXPECT_THAT(pool.submit([] { return std::vector<Point>{}; }).get(), IsEmpty());
}

TEST_P(PoolConformance, ATaskHasItsOwnCopies) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  std::vector<int> mine{1, 2};
  EXPECT_THAT(pool.submit(
                      [](std::vector<int> its) {
                        its[0] = 9;
                        return its;
                      },
                      mine)
                  .get(),
              ElementsAre(9, 2));
  EXPECT_THAT(mine, ElementsAre(1, 2));
}

TEST_P(PoolConformance, MapKeepsTheOrder) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<int> expected;
  for (const int number : numbers(1000)) expected.push_back(twice(number));
  EXPECT_EQ(pool.map(twice, numbers(1000)), expected);
}

TEST_P(PoolConformance, MapInChunksOfAnySize) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<int> expected;
  for (const int number : numbers(40)) expected.push_back(twice(number));
  for (const std::size_t chunk : {1U, 6U, 39U, 40U, 41U, 5000U}) {
    EXPECT_EQ(pool.map(twice, numbers(40), chunk), expected) << "chunk " << chunk;
  }
}

TEST_P(PoolConformance, MapOfNothingIsNothing) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  EXPECT_THAT(pool.map(twice, std::vector<int>{}), IsEmpty());
  EXPECT_THAT(pool.map(twice, std::vector<int>{}, 1), IsEmpty());
  pool.for_each([](int) {}, std::vector<int>{});
}

TEST_P(PoolConformance, AChunkOfZeroIsRefused) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const auto count = [to = shared.get()](int) { return ++to->ran; };
  EXPECT_THROW(pool.map(count, numbers(3), 0), std::invalid_argument);
  EXPECT_THROW(pool.for_each(count, numbers(3), 0), std::invalid_argument);
  pool.close();
  pool.join();
  EXPECT_EQ(shared->ran, 0);
}

TEST_P(PoolConformance, ForEachVisitsEveryItemOnce) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  pool.for_each([to = shared.get()](int i) { ++to->runs[static_cast<std::size_t>(i)]; },
                numbers(256));
  for (const auto& runs : shared->runs) EXPECT_EQ(runs, 1);
}

TEST_P(PoolConformance, MapEndsWhenAllChunksHaveEnded) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  const auto task = [to = shared.get()](int i) {
    if (i == 0) throw std::out_of_range("item 0");
    if (i == 1) throw std::runtime_error("item 1");
    pause_ms(20);
    return ++to->ran;
  };
  EXPECT_THROW(pool.map(task, numbers(8), 1), std::out_of_range);
  EXPECT_EQ(shared->ran, 6);
}

template <class E, class Pool, class Function>
void expect_error(Pool& pool, Function function, const std::string& text) {
  try {
    pool.submit(function).get();
    FAIL() << "nothing was thrown";
  } catch (const std::exception& error) {
    EXPECT_EQ(typeid(error).name(), std::string(typeid(E).name()));
    EXPECT_EQ(error.what(), text);
  }
}

TEST_P(PoolConformance, StandardExceptionsComeBackAsThemselves) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  expect_error<std::runtime_error>(
      pool, [] { throw std::runtime_error("a"); }, "a");
  expect_error<std::logic_error>(
      pool, [] { throw std::logic_error("b"); }, "b");
  expect_error<std::invalid_argument>(
      pool, [] { throw std::invalid_argument("c"); }, "c");
  expect_error<std::out_of_range>(
      pool, [] { throw std::out_of_range(""); }, "");
  expect_error<std::overflow_error>(
      pool, [] { throw std::overflow_error("d"); }, "d");
  expect_error<std::bad_alloc>(
      pool, [] { throw std::bad_alloc(); }, std::bad_alloc().what());
  expect_error<std::bad_optional_access>(
      pool, [] { return std::optional<int>().value(); }, std::bad_optional_access().what());
  EXPECT_EQ(pool.submit(twice, 1).get(), 2);
}

TEST_P(PoolConformance, SystemErrorsKeepTheirCode) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  const auto fail = [](bool generic, const char* text) {
    throw std::system_error(ENOENT, generic ? std::generic_category() : std::system_category(),
                            text);
  };
  for (const bool generic : {true, false}) {
    const std::system_error expected(
        ENOENT, generic ? std::generic_category() : std::system_category(), "open");
    try {
      pool.submit([fail, generic] { fail(generic, "open"); }).get();
      FAIL() << "nothing was thrown";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), expected.code());
      EXPECT_STREQ(error.what(), expected.what());
    }
  }
}

TEST_P(PoolConformance, OtherExceptionsKeepTheirNameAndText) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  if (GetParam().processes()) {
    const auto worker = pool.submit([] { return ::getpid(); }).get();
    const auto expect_remote = [&](auto function, const char* type, const char* text) {
      try {
        pool.submit(function).get();
        FAIL() << "nothing was thrown";
      } catch (const pools::RemoteError& error) {
        EXPECT_THAT(error.type, HasSubstr(type));
        EXPECT_EQ(error.text, text);
        EXPECT_EQ(error.pid, worker);
      }
    };
    for (int i = 0; i < 20; ++i) {
      expect_remote([] { throw CustomError("odd"); }, "CustomError", "odd");
      expect_remote([] { throw Custom{"lost"}; }, "Custom", "");
      expect_remote([] { throw 42; }, "int", "");
    }
    EXPECT_EQ(pool.submit([] { return ::getpid(); }).get(), worker) << "the worker lives on";
  } else {
    EXPECT_THROW(pool.submit([] { throw CustomError("odd"); }).get(), CustomError);
    EXPECT_THROW(pool.submit([] { throw 42; }).get(), int);
  }
}

TEST_P(PoolConformance, WhatCannotBeReadFailsItsFutureAlone) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  auto argument = pool.submit([](Unreadable) { return 1; }, Unreadable{});
  auto result = pool.submit([] { return Unreadable{}; });
  auto sound = pool.submit(twice, 4);
  if (GetParam().processes()) {
    EXPECT_THROW(argument.get(), std::domain_error);
    EXPECT_THROW(result.get(), std::domain_error);
  }
  EXPECT_EQ(sound.get(), 8);
}

TEST_P(PoolConformance, LargeTasksAndResultsCrossAtOnce) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<pools::Future<std::string>> futures;
  const auto text = [](int i) {
    return std::string((std::size_t{1} << 20) + static_cast<std::size_t>(i),
                       static_cast<char>('a' + i));
  };
  for (int i = 0; i < 12; ++i) {
    futures.push_back(pool.submit([](std::string all) { return all + all; }, text(i)));
  }
  for (int i = 0; i < 12; ++i) {
    EXPECT_TRUE(futures[static_cast<std::size_t>(i)].get() == text(i) + text(i)) << i;
  }
}

TEST_P(PoolConformance, MessagesOfEveryLengthAroundAPieceCross) {
  pools::AnyPool pool(GetParam(), {.workers = 1});
  for (std::size_t bytes = 4096 - 80; bytes < 4096 + 20; ++bytes) {
    const std::string text(bytes, 'x');
    ASSERT_EQ(pool.submit([](std::string all) { return all; }, text).get(), text);
  }
}

TEST_P(PoolConformance, ManyThreadsSubmitAndWait) {
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        auto first = pool.submit(twice, i);
        auto second = pool.submit([](int a, std::string s) { return s.size() + std::size_t(a); }, t,
                                  std::string(static_cast<std::size_t>(i), 'x'));
        right += second.get() == static_cast<std::size_t>(t + i) && first.get() == twice(i);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 300);
}

TEST_P(PoolConformance, ATaskOnlyAskedOnceRunsOnce) {
  const SharedMemory shared;
  pools::AnyPool pool(GetParam(), {.workers = 2});
  std::vector<pools::Future<void>> futures;
  for (std::size_t i = 0; i < 256; ++i) {
    futures.push_back(pool.submit([to = shared.get(), i] { ++to->runs[i]; }));
  }
  for (auto& future : futures) future.get();
  for (const auto& runs : shared->runs) EXPECT_EQ(runs, 1);
}

}  // namespace
