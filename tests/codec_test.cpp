// Arguments, results, exceptions and messages as bytes.
#include "pools/codec.hpp"

#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <variant>
#include <vector>

#include <gmock/gmock.h>

#include "pools/call.hpp"
#include "pools/exception_codec.hpp"
#include "pools/message.hpp"

namespace {

using testing::HasSubstr;

template <class T>
T there_and_back(const T& value) {
  pools::Writer out;
  pools::encode(out, value);
  pools::Reader in(out.bytes());
  T back = pools::decode<T>(in);
  EXPECT_TRUE(in.left().empty()) << "bytes are left";
  return back;
}

struct Pair {
  int first;
  char second;
  friend bool operator==(const Pair&, const Pair&) = default;
};

struct Person {
  std::string name;
  std::vector<Pair> pairs;
  friend bool operator==(const Person&, const Person&) = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name);
  }
};

int plus_one(int value) {
  return value + 1;
}

TEST(Codec, ValuesAreTheSameAfterwards) {
  EXPECT_EQ(there_and_back(42), 42);
  EXPECT_EQ(there_and_back(Pair{7, 'x'}), (Pair{7, 'x'}));
  EXPECT_EQ(there_and_back(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(there_and_back(std::string()), "");
  EXPECT_EQ(there_and_back(std::vector<Pair>{{1, 'a'}, {2, 'b'}}),
            (std::vector<Pair>{{1, 'a'}, {2, 'b'}}));
  EXPECT_EQ(there_and_back(std::vector<bool>{true, false, true}),
            (std::vector<bool>{true, false, true}));
  EXPECT_EQ(there_and_back(Person{"Ann", {}}), (Person{"Ann", {}}));
  using Deep = std::map<std::string, std::vector<std::optional<std::variant<int, std::string>>>>;
  const Deep deep{{"a", {1, std::nullopt, std::string("two")}}, {"b", {}}};
  EXPECT_EQ(there_and_back(deep), deep);
}

TEST(Codec, FunctionsAreTheSameAfterwards) {
  EXPECT_EQ(there_and_back(&plus_one)(1), 2);
}

TEST(Codec, WhatEndsEarlyIsRefused) {
  pools::Writer out;
  pools::encode(out, std::vector<int>{1, 2, 3});
  for (std::size_t bytes = 0; bytes < out.size(); ++bytes) {
    pools::Reader in(std::span(out.bytes()).first(bytes));
    EXPECT_THROW(pools::decode<std::vector<int>>(in), std::runtime_error) << bytes;
  }
}

TEST(Codec, ASequenceThatClaimsTooMuchIsRefused) {
  pools::Writer out;
  pools::encode(out, std::size_t{1} << 62);
  pools::Reader in(out.bytes());
  EXPECT_THROW(pools::decode<std::vector<double>>(in), std::runtime_error);
}

template <class T>
concept Crosses = !pools::PointsElsewhere<T> &&
                  (pools::PlainBytes<T> || pools::PlainSequence<T> || pools::Serializable<T>);

TEST(Codec, WhatCannotCrossIsKnownAtCompileTime) {
  static_assert(Crosses<int> && Crosses<std::string> && Crosses<Person> && Crosses<int (*)(int)>);
  static_assert(!Crosses<const char*> && !Crosses<std::string_view> && !Crosses<std::span<int>>);
  struct Opaque {
    std::unique_ptr<int> owned;
  };
  static_assert(!Crosses<Opaque>);
}

TEST(Call, RunsWhereItIsRead) {
  pools::Writer call;
  const int offset = 3;
  pools::encode_call(
      call,
      [offset](const std::string& text, int n) { return text.size() + std::size_t(offset + n); },
      std::string("four"), 5);
  pools::Reader in(call.bytes());
  pools::Writer answer;
  pools::answer_call(in, answer);
  pools::Reader out(answer.bytes());
  EXPECT_EQ(pools::decode_answer<std::size_t>(out), 12U);
}

template <class F>
std::exception_ptr through_codec(F throwing) {
  pools::Writer out;
  try {
    throwing();
  } catch (...) {
    pools::encode_current_exception(out);
  }
  pools::Reader in(out.bytes());
  return pools::decode_exception(in);
}

TEST(ExceptionCodec, EveryStandardTypeOfTheListsIsItselfAfterwards) {
  const auto expect_same = [](const auto& error) {
    try {
      std::rethrow_exception(through_codec([&] { throw error; }));
    } catch (const std::exception& back) {
      EXPECT_EQ(typeid(back), typeid(error)) << back.what();
      EXPECT_STREQ(back.what(), error.what());
    }
  };
  pools::TextErrors::for_each([&]<class E>() { expect_same(E("some text")); });
  pools::PlainErrors::for_each([&]<class E>() { expect_same(E()); });
  expect_same(std::system_error(EIO, std::generic_category()));
  expect_same(std::system_error(EIO, std::system_category(), "read"));
}

TEST(ExceptionCodec, OthersKeepNameTextAndProcess) {
  struct Strange : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  for (const bool known_category : {true, false}) {
    try {
      std::rethrow_exception(through_codec([&] {
        if (known_category) throw Strange("why");
        throw std::system_error(std::make_error_code(std::future_errc::no_state), "why");
      }));
    } catch (const pools::RemoteError& error) {
      EXPECT_THAT(error.type, HasSubstr(known_category ? "Strange" : "std::system_error"));
      EXPECT_THAT(error.text, HasSubstr("why"));
      EXPECT_EQ(error.pid, ::getpid());
      EXPECT_THAT(error.what(), HasSubstr(error.text));
    }
  }
}

TEST(Message, IsJoinedFromPiecesOfAnyNumber) {
  constexpr std::size_t piece_bytes = 64;
  pools::Cutter cutter(piece_bytes);
  pools::Joiner joiner(piece_bytes);
  for (std::size_t bytes = sizeof(pools::MessageHeader); bytes < 4 * piece_bytes; ++bytes) {
    pools::Writer writer(sizeof(pools::MessageHeader));
    const std::vector<std::byte> body(bytes - writer.size(), static_cast<std::byte>(bytes));
    writer.put(body.data(), body.size());
    ASSERT_EQ(writer.size(), bytes);
    std::size_t pieces = 0;
    for (cutter.begin(writer, bytes); !cutter.done(); cutter.sent()) {
      const auto piece = cutter.piece();
      const auto room = joiner.room();
      ASSERT_GE(room.size(), piece.size());
      std::copy(piece.begin(), piece.end(), room.begin());
      ++pieces;
      ASSERT_EQ(joiner.add(piece.size()), pieces * piece_bytes >= bytes);
    }
    EXPECT_EQ(pieces, (bytes + piece_bytes - 1) / piece_bytes);
    ASSERT_TRUE(joiner.whole());
    const auto view = joiner.view();
    EXPECT_TRUE(std::ranges::equal(view, writer.bytes()));
    EXPECT_EQ(pools::header_of(view).task, bytes);
  }
}

TEST(Message, ImpossibleLengthsAreRefused) {
  constexpr std::size_t piece_bytes = 64;
  const auto add = [](std::uint64_t claimed, std::size_t piece) {
    pools::Joiner joiner(piece_bytes);
    const pools::MessageHeader header{.bytes = claimed, .task = 1};
    std::memcpy(joiner.room().data(), &header, sizeof header);
    joiner.add(piece);
  };
  EXPECT_THROW(add(32, 8), std::runtime_error) << "no header";
  EXPECT_THROW(add(16, 32), std::runtime_error) << "shorter than its first piece";
  EXPECT_THROW(add(1000, 32), std::runtime_error) << "a first piece that is not full";
  EXPECT_NO_THROW(add(1000, 64));
}

}  // namespace
