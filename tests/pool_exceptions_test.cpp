// Exceptions of tasks that a program has made itself, over every pool.
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

#include "pools/zygote.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using PoolExceptions = pool_test::OverPools;

INSTANTIATE_TEST_SUITE_P(Every, PoolExceptions, testing::ValuesIn(pools::all_pools()),
                         pool_test::name_of);

// Has members, which cross.
class ParseError : public std::exception {
 public:
  ParseError() = default;
  ParseError(std::string file, int line) : text_(file + ":" + std::to_string(line)), line_(line) {}

  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }
  [[nodiscard]] int line() const { return line_; }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(text_, line_);
  }

 private:
  std::string text_;
  int line_ = 0;
};

// Has nothing but its text.
struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct NoSpace final : IoError {
  using IoError::IoError;
};

// Is no std::exception.
struct Code {
  int value;
};

// Throws when a process reads it.
struct Unreadable : std::exception {
  template <class Archive>
  void save(Archive& archive) const {
    archive(1);
  }
  template <class Archive>
  void load(Archive& /*archive*/) {
    throw std::domain_error("cannot be read");
  }
};

// Throws when a process writes it.
struct Unwritable : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "stays here"; }
  template <class Archive>
  void save(Archive& /*archive*/) const {
    throw std::domain_error("cannot be written");
  }
  template <class Archive>
  void load(Archive& archive) {
    int any = 0;
    archive(any);
  }
};

const pools::Options listing{
    .workers = 1,
    .exceptions = pools::exception_types<ParseError, IoError, Code, Unreadable, Unwritable>};

template <class E>
E caught(pools::AnyPool& pool, void (*task)()) {
  try {
    pool.submit(task).get();
  } catch (const E& error) {
    EXPECT_EQ(typeid(error), typeid(E));
    return error;
  }
  throw std::logic_error("the task has thrown nothing");
}

void not_parsed() {
  throw ParseError("config", 17);
}

TEST_P(PoolExceptions, ListedOnesAreThemselves) {
  pools::AnyPool pool(GetParam(), listing);
  const auto parse = caught<ParseError>(pool, not_parsed);
  EXPECT_STREQ(parse.what(), "config:17");
  EXPECT_EQ(parse.line(), 17);
  EXPECT_STREQ(caught<IoError>(pool, [] { throw IoError("disk 3"); }).what(), "disk 3");
  EXPECT_EQ(caught<Code>(pool, [] { throw Code{42}; }).value, 42);
  EXPECT_STREQ(caught<std::out_of_range>(pool, [] { throw std::out_of_range("far"); }).what(),
               "far");
}

TEST_P(PoolExceptions, OthersAreRemoteErrors) {
  if (!GetParam().processes()) GTEST_SKIP() << "threads throw everything itself";
  pools::AnyPool pool(GetParam(), listing);
  const auto derived = caught<pools::RemoteError>(pool, [] { throw NoSpace("full"); });
  EXPECT_THAT(derived.type, testing::HasSubstr("NoSpace"));
  EXPECT_EQ(derived.text, "full");
  EXPECT_EQ(caught<pools::RemoteError>(pool, [] { throw 42; }).type, "int");
  const auto kept = caught<pools::RemoteError>(pool, [] { throw Unwritable(); });
  EXPECT_THAT(kept.type, testing::HasSubstr("Unwritable"));
  EXPECT_EQ(kept.text, "stays here");
}

TEST_P(PoolExceptions, OneThatCannotBeReadIsThatFuturesErrorAlone) {
  if (!GetParam().processes()) GTEST_SKIP() << "threads read nothing";
  pools::AnyPool pool(GetParam(), listing);
  auto failing = pool.submit([] { throw Unreadable(); });
  auto next = pool.submit([] { return 2; });
  EXPECT_THROW(failing.get(), std::domain_error);
  EXPECT_EQ(next.get(), 2);
}

TEST_P(PoolExceptions, ManyInARowCostNoWorker) {
  pools::AnyPool pool(GetParam(), listing);
  const pid_t worker = pool.submit([] { return ::getpid(); }).get();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(caught<ParseError>(pool, not_parsed).line(), 17);
  EXPECT_EQ(pool.submit([] { return ::getpid(); }).get(), worker);
}

TEST_P(PoolExceptions, ComeBackFromAProgramThatWasStartedAnew) {
  if (!GetParam().processes()) GTEST_SKIP() << "threads start no program";
  pools::Options options = listing;
  options.start = pools::StartMethod::spawn;
  pools::AnyPool pool(GetParam(), options);
  EXPECT_EQ(caught<ParseError>(pool, not_parsed).line(), 17);
}

// An argument or a result that throws when it is written.
struct Stubborn {
  template <class Archive>
  void save(Archive& /*archive*/) const {
    throw ParseError("argument", 3);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(text);
  }

  std::string text;
};

TEST_P(PoolExceptions, WhatCannotBeWrittenIsThatFuturesErrorAlone) {
  if (!GetParam().processes()) GTEST_SKIP() << "threads write nothing";
  pools::AnyPool pool(GetParam(), listing);
  for (int i = 0; i < 3; ++i) {
    auto argument = pool.submit([](Stubborn) {}, Stubborn{});
    EXPECT_TRUE(argument.ready());
    EXPECT_THROW(argument.get(), ParseError);
    EXPECT_THROW(
        pool.submit([](std::string, Stubborn) {}, std::string(100'000, 'x'), Stubborn{}).get(),
        ParseError);
    EXPECT_THROW(pool.submit([] { return Stubborn{}; }).get(), ParseError);
    EXPECT_EQ(pool.submit([](int x) { return x; }, i).get(), i);
  }
}

}  // namespace

int main(int argc, char** argv) {
  pools::serve_if_spawned(argc, argv);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
