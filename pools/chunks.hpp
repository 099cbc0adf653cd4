// A range in pieces: what a task of map() is given, and what it does with it.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "pools/call.hpp"

namespace pools {

inline constexpr std::size_t automatic_chunk = static_cast<std::size_t>(-1);

// Ranges that a worker process can follow, because all that they are is in their own bytes. They
// travel as they are, with the first item and the count, and no item does. One's own may be added:
// it is trivially copyable and has size() and operator[].
template <class Range>
inline constexpr bool self_contained = false;
template <std::integral First, std::integral Last>
inline constexpr bool self_contained<std::ranges::iota_view<First, Last>> = true;
template <class Base, class F>
inline constexpr bool self_contained<std::ranges::transform_view<Base, F>> = self_contained<Base>;

namespace detail {

// Items of a self-contained range.
template <class Range>
class IndexedChunk {
 public:
  class Iterator {
   public:
    using value_type = std::ranges::range_value_t<Range>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const Range& range, std::size_t at) : range_(&range), at_(at) {}

    decltype(auto) operator*() const {
      return (*range_)[static_cast<std::ranges::range_difference_t<Range>>(at_)];
    }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++at_; }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const Range* range_ = nullptr;
    std::size_t at_ = 0;
  };

  IndexedChunk(const Range& range, std::size_t first, std::size_t size)
      : range_(range), first_(first), size_(size) {}

  [[nodiscard]] Iterator begin() const { return {range_, first_}; }
  [[nodiscard]] Iterator end() const { return {range_, first_ + size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  Range range_;
  std::size_t first_;
  std::size_t size_;
};

// Plain items side by side: the caller's own here and on threads, those of the message in a worker
// process. For pools/codec.hpp it is a vector, except that nothing is copied where it is decoded.
template <class T>
class SpanChunk {
 public:
  SpanChunk() = default;
  // Only those of resize() are written to.
  SpanChunk(const T* first, const T* last) : items_(const_cast<T*>(first), const_cast<T*>(last)) {}

  [[nodiscard]] T* begin() { return items_.data(); }
  [[nodiscard]] T* end() { return items_.data() + items_.size(); }
  [[nodiscard]] const T* begin() const { return items_.data(); }
  [[nodiscard]] const T* end() const { return items_.data() + items_.size(); }
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  void resize(std::size_t size) {
    owned_ = std::make_shared<T[]>(size);
    items_ = {owned_.get(), size};
  }

 private:
  std::span<T> items_;
  std::shared_ptr<T[]> owned_;
};

template <class Range>
concept TravelsAsItIs = self_contained<Range> && std::is_trivially_copyable_v<Range> &&
    requires(const Range range, std::ranges::range_difference_t<Range> at) {
  { range[at] } -> std::convertible_to<std::ranges::range_value_t<Range>>;
  range.size();
};

// bool: its vector has no items side by side.
template <class Range>
concept TravelsAsSpan = std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> &&
    std::is_trivially_copyable_v<std::ranges::range_value_t<Range>> &&
    std::default_initializable<std::ranges::range_value_t<Range>> &&
    !std::same_as<std::ranges::range_value_t<Range>, bool>;

// An array whose parts cross without their elements.
template <class Range>
concept TravelsInParts = CrossesAsHandle<Range> && requires(const Range& range) {
  { range.part(range.size(), range.size()) } -> std::same_as<Range>;
};

// Reads a range in chunks: the caller's, when Range is a reference, or its own. With `borrows`,
// chunks may refer to it: it has to be there until their tasks have ended.
// Not std::views::all: Clang 14 cannot read the views of GCC 12's library.
template <std::ranges::input_range Range, bool borrows>
class Chunks {
  using Bare = std::remove_cvref_t<Range>;

 public:
  using Item = std::ranges::range_value_t<Range>;

  explicit Chunks(Range&& range) : range_(std::forward<Range>(range)) {}

  // The next `size` items, or what is left. Throws what the range throws.
  auto next(std::size_t size) {
    if constexpr (TravelsAsItIs<Bare>) {
      const std::size_t first = skip(size);
      return IndexedChunk<Bare>(range_, first, read_ - first);
    } else if constexpr (TravelsInParts<Bare>) {
      const std::size_t first = skip(size);
      return range_.part(first, read_ - first);
    } else if constexpr (TravelsAsSpan<Range> && borrows) {
      const std::size_t first = skip(size);
      const Item* const items = std::ranges::data(range_);
      return SpanChunk<Item>(items + first, items + read_);
    } else {
      std::vector<Item> items;
      if constexpr (std::ranges::sized_range<Range>) {
        items.reserve(std::min(size, static_cast<std::size_t>(std::ranges::size(range_))));
      }
      while (items.size() < size && advance()) {
        if constexpr (owns_items) {
          items.emplace_back(std::move(**at_));
        } else {
          items.emplace_back(**at_);
        }
      }
      return items;
    }
  }

 private:
  static constexpr bool owns_items =
      !std::is_reference_v<Range> && !std::ranges::view<Range> && std::ranges::forward_range<Range>;

  std::size_t skip(std::size_t size) {
    const std::size_t left = static_cast<std::size_t>(std::ranges::size(range_)) - read_;
    return std::exchange(read_, read_ + std::min(size, left));
  }

  // To the next item, not before it is wanted: a range that throws then has given the others.
  bool advance() {
    if (ended_) return false;
    if (at_.has_value()) {
      ++*at_;
    } else {
      at_.emplace(std::ranges::begin(range_));
    }
    ended_ = *at_ == std::ranges::end(range_);
    return !ended_;
  }

  Range range_;
  std::size_t read_ = 0;
  std::optional<std::ranges::iterator_t<Range>> at_;
  bool ended_ = false;
};

template <class Chunks>
using ChunkOf = decltype(std::declval<Chunks&>().next(0));

template <class Chunk>
using ItemOf = std::ranges::range_value_t<Chunk>;

// The task of map(): the results of a chunk's items, in their order.
template <class F>
struct MapChunk {
  using Wrapped = F;
  F function;

  template <class Chunk>
  auto operator()(Chunk items) -> std::vector<ResultOf<F, ItemOf<Chunk>>> {
    using R = ResultOf<F, ItemOf<Chunk>>;
    if constexpr (std::is_trivially_copyable_v<R> && std::default_initializable<R>) {
      std::vector<R> results(items.size());
      auto to = results.begin();
      for (auto&& item : items) {
        *to++ = std::invoke(function, ItemOf<Chunk>(std::move(item)));
      }
      return results;
    } else {
      std::vector<R> results;
      results.reserve(items.size());
      for (auto&& item : items) {
        results.push_back(std::invoke(function, ItemOf<Chunk>(std::move(item))));
      }
      return results;
    }
  }
};

template <class F>
struct ForEachChunk {
  using Wrapped = F;
  F function;

  template <class Chunk>
  void operator()(Chunk items) {
    for (auto&& item : items) {
      if constexpr (TravelsInParts<Chunk>) {
        std::invoke(function, item);
      } else {
        std::invoke(function, ItemOf<Chunk>(std::move(item)));
      }
    }
  }
};

// The function of starmap(): the items are tuples of its arguments.
template <class F>
struct Starred {
  using Wrapped = F;
  F function;

  template <class Tuple>
  auto operator()(Tuple&& arguments)
      -> decltype(std::apply(function, std::forward<Tuple>(arguments))) {
    return std::apply(function, std::forward<Tuple>(arguments));
  }
};

inline void check_chunk(std::size_t chunk) {
  if (chunk == 0) throw std::invalid_argument("chunk is 0; a chunk has at least 1 item");
}

// Four chunks for each worker: few enough to cost little, enough to even out slow ones. Plain items
// in chunks that a cache holds: they are copied several times on their way.
template <class Item>
std::size_t chunk_size(std::size_t chunk, std::size_t items, std::size_t workers) {
  check_chunk(chunk);
  if (chunk != automatic_chunk) return chunk;
  constexpr std::size_t cached_bytes = std::size_t{128} << 10;
  constexpr std::size_t most = std::is_trivially_copyable_v<Item>
                                   ? std::max<std::size_t>(1, cached_bytes / sizeof(Item))
                                   : automatic_chunk;
  return std::clamp<std::size_t>((items + 4 * workers - 1) / (4 * workers), 1, most);
}

}  // namespace detail
}  // namespace pools
