// map and for_each, the same for every pool: the range is cut into chunks, and each is a task.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "pools/call.hpp"
#include "pools/future.hpp"

namespace pools {

inline constexpr std::size_t automatic_chunk = static_cast<std::size_t>(-1);

namespace detail {

template <class F>
struct MapChunk {
  using Wrapped = F;
  F function;

  template <class T>
  auto operator()(std::vector<T> items) {
    std::vector<ResultOf<F, T>> results;
    results.reserve(items.size());
    for (auto&& item : items) results.push_back(std::invoke(function, T(std::move(item))));
    return results;
  }
};

template <class F>
struct ForEachChunk {
  using Wrapped = F;
  F function;

  template <class T>
  void operator()(std::vector<T> items) {
    for (auto&& item : items) std::invoke(function, T(std::move(item)));
  }
};

template <std::ranges::input_range Range>
auto collect_items(Range&& range) {
  std::vector<std::ranges::range_value_t<Range>> items;
  if constexpr (std::ranges::sized_range<Range>) items.reserve(std::ranges::size(range));
  for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
  return items;
}

// Four chunks for each worker: few enough to cost little, enough to even out slow ones.
inline std::size_t chunk_size(std::size_t chunk, std::size_t items, std::size_t workers) {
  if (chunk == 0) throw std::invalid_argument("chunk is 0; a chunk has at least 1 item");
  if (chunk != automatic_chunk) return chunk;
  return std::max<std::size_t>(1, (items + 4 * workers - 1) / (4 * workers));
}

// Submits one task a chunk, and waits for all of them, whatever happens.
template <class Pool, class Task, class T>
auto submit_chunks(Pool& pool, const Task& task, std::vector<T> items, std::size_t chunk) {
  using Result = ResultOf<Task, std::vector<T>>;
  std::vector<Future<Result>> futures;
  const auto wait_for_all = [&] {
    for (auto& future : futures) future.wait();
  };
  try {
    for (auto from = items.begin(); from != items.end();) {
      const auto to =
          from + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(chunk), items.end() - from);
      futures.push_back(
          pool.submit(task, std::vector<T>(std::move_iterator(from), std::move_iterator(to))));
      from = to;
    }
  } catch (...) {
    wait_for_all();
    throw;
  }
  wait_for_all();
  return futures;
}

}  // namespace detail

// What map() gives.
template <class F, class Range>
using MappedBy = std::vector<ResultOf<F, std::ranges::range_value_t<Range>>>;

template <class Pool, class F, std::ranges::input_range Range>
auto map(Pool& pool, F&& function, Range&& range, std::size_t chunk) -> MappedBy<F, Range> {
  using R = ResultOf<F, std::ranges::range_value_t<Range>>;
  static_assert(!std::is_void_v<R>, "map() collects results: for a function without, for_each()");
  auto items = detail::collect_items(std::forward<Range>(range));
  chunk = detail::chunk_size(chunk, items.size(), pool.workers());
  MappedBy<F, Range> results;
  results.reserve(items.size());
  const detail::MapChunk<std::decay_t<F>> task{std::forward<F>(function)};
  for (auto& future : detail::submit_chunks(pool, task, std::move(items), chunk)) {
    auto part = future.get();
    std::move(part.begin(), part.end(), std::back_inserter(results));
  }
  return results;
}

template <class Pool, class F, std::ranges::input_range Range>
void for_each(Pool& pool, F&& function, Range&& range, std::size_t chunk) {
  auto items = detail::collect_items(std::forward<Range>(range));
  chunk = detail::chunk_size(chunk, items.size(), pool.workers());
  const detail::ForEachChunk<std::decay_t<F>> task{std::forward<F>(function)};
  for (auto& future : detail::submit_chunks(pool, task, std::move(items), chunk)) future.get();
}

}  // namespace pools
