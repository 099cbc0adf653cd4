// Arguments and results as bytes: trivially copyable values are copied as they are, strings and
// vectors of such values in one piece, everything else goes through cereal.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <istream>
#include <ostream>
#include <ranges>
#include <span>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <cereal/archives/binary.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include "pools/code.hpp"
#include "pools/writer.hpp"

namespace pools {

// What a Writer wrote after its prefix.
class Reader {
 public:
  // Shared memory that the bytes tell of is looked for in `memories`, and is opened there.
  explicit Reader(std::span<const std::byte> bytes, SharedMemories* memories = nullptr)
      : bytes_(bytes), all_(bytes.size()), memories_(memories) {}

  // Throws std::runtime_error when there is less.
  std::span<const std::byte> take(std::size_t bytes) {
    if (bytes > bytes_.size()) {
      throw std::runtime_error("message ends early: " + std::to_string(bytes) + " bytes wanted, " +
                               std::to_string(bytes_.size()) + " left");
    }
    const auto taken = bytes_.first(bytes);
    bytes_ = bytes_.subspan(bytes);
    return taken;
  }
  // Leaves out what Writer::align() wrote.
  void align(std::size_t alignment) { take(Writer::padding(all_ - bytes_.size(), alignment)); }
  [[nodiscard]] std::span<const std::byte> left() const { return bytes_; }
  [[nodiscard]] SharedMemories* memories() const { return memories_; }

 private:
  std::span<const std::byte> bytes_;  // that are left
  std::size_t all_;
  SharedMemories* memories_;
};

// Points to memory of this process, which another one does not have.
template <class T>
concept PointsElsewhere = (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) ||
                          (std::ranges::view<T> && std::ranges::borrowed_range<T> &&
                           std::ranges::contiguous_range<T>);

// A callable around another one: it travels as that does, so that a function pointer is found
// again.
template <class T>
concept WrapsFunction = requires(const T& wrapper) {
  { wrapper.function } -> std::convertible_to<typename T::Wrapped>;
};

template <class T>
concept PlainBytes = std::is_trivially_copyable_v<T>;

// std::string, and std::vector of plain values.
template <class T>
concept PlainSequence = std::ranges::contiguous_range<T> &&
    PlainBytes<std::ranges::range_value_t<T>> && requires(T sequence, std::size_t size) {
  sequence.resize(size);
};

template <class T>
concept Serializable = std::default_initializable<T> &&
    cereal::traits::is_output_serializable<T, cereal::BinaryOutputArchive>::value &&
    cereal::traits::is_input_serializable<T, cereal::BinaryInputArchive>::value;

// Says itself where another process finds it, as an argument and as a result (SharedArray).
template <class T>
concept CrossesAsHandle = requires(const T& value, Reader& in, Writer& out) {
  value.hand_over(out);
  value.give_back(in, out);
  { T::take_over(in) } -> std::same_as<T>;
};

template <class T>
constexpr void check_encodable() {
  static_assert(
      !PointsElsewhere<T>,
      "this argument or result of a task points into the memory of this process, where "
      "the worker cannot follow it: pass std::string or std::vector, or capture a pointer "
      "to memory that was shared before the pool was made");
  static_assert(CrossesAsHandle<T> || PlainBytes<T> || PlainSequence<T> || Serializable<T>,
                "this argument or result of a task cannot cross processes: it has to be trivially "
                "copyable, or default constructible with a serialize() for cereal (for a type of "
                "the standard library: include its <cereal/types/...>)");
}

namespace detail {

class WriterBuffer final : public std::streambuf {
 public:
  explicit WriterBuffer(Writer& out) : out_(out) {}

 private:
  std::streamsize xsputn(const char* data, std::streamsize bytes) override {
    out_.put(data, static_cast<std::size_t>(bytes));
    return bytes;
  }
  int_type overflow(int_type character) override {
    const char byte = traits_type::to_char_type(character);
    out_.put(&byte, 1);
    return character;
  }

  Writer& out_;
};

class ReaderBuffer final : public std::streambuf {
 public:
  explicit ReaderBuffer(Reader& in) : in_(in) {}

 private:
  std::streamsize xsgetn(char* data, std::streamsize bytes) override {
    const auto taken = in_.take(static_cast<std::size_t>(bytes));
    std::memcpy(data, taken.data(), taken.size());
    return bytes;
  }

  Reader& in_;
};

template <PlainSequence T>
T decode_sequence(std::span<const std::byte> bytes) {
  using Value = std::ranges::range_value_t<T>;
  const std::size_t size = bytes.size() / sizeof(Value);
  // Made from the values at once, where they are aligned: resize() would write each one twice.
  if constexpr (std::constructible_from<T, const Value*, const Value*>) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Value) == 0) {
      const auto* const values = reinterpret_cast<const Value*>(bytes.data());
      return T(values, values + size);
    }
  }
  T value;
  value.resize(size);
  if (size > 0) std::memcpy(std::ranges::data(value), bytes.data(), bytes.size());
  return value;
}

}  // namespace detail

template <class T>
void encode(Writer& out, const T& value) {
  check_encodable<T>();
  if constexpr (FunctionPointer<T>) {
    encode(out, code_address(value));
  } else if constexpr (CrossesAsHandle<T>) {
    value.hand_over(out);
  } else if constexpr (WrapsFunction<T>) {
    encode(out, value.function);
  } else if constexpr (PlainBytes<T>) {
    out.put(&value, sizeof value);
  } else if constexpr (PlainSequence<T>) {
    const std::size_t size = std::ranges::size(value);
    out.put(&size, sizeof size);
    out.align(alignof(std::ranges::range_value_t<T>));
    out.put(std::ranges::data(value), size * sizeof(std::ranges::range_value_t<T>));
  } else if constexpr (Serializable<T>) {
    detail::WriterBuffer buffer(out);
    std::ostream stream(&buffer);
    cereal::BinaryOutputArchive{stream}(value);
  }
}

// Throws std::runtime_error when the bytes are not a T, and what a T's own serialize() throws.
template <class T>
T decode(Reader& in) {
  check_encodable<T>();
  if constexpr (FunctionPointer<T>) {
    return code_at<T>(decode<CodeAddress>(in));
  } else if constexpr (CrossesAsHandle<T>) {
    return T::take_over(in);
  } else if constexpr (WrapsFunction<T>) {
    return T{decode<typename T::Wrapped>(in)};
  } else if constexpr (PlainBytes<T>) {
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), in.take(sizeof(T)).data(), sizeof(T));
    return std::bit_cast<T>(bytes);
  } else if constexpr (PlainSequence<T>) {
    using Value = std::ranges::range_value_t<T>;
    const auto size = decode<std::size_t>(in);
    in.align(alignof(Value));
    if (size > in.left().size() / sizeof(Value)) {
      throw std::runtime_error("message ends early: a sequence claims " + std::to_string(size) +
                               " values");
    }
    return detail::decode_sequence<T>(in.take(size * sizeof(Value)));
  } else if constexpr (Serializable<T>) {
    detail::ReaderBuffer buffer(in);
    std::istream stream(&buffer);
    T value;
    cereal::BinaryInputArchive{stream}(value);
    return value;
  }
}

}  // namespace pools
