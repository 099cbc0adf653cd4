// Calls over a whole range, the same for every pool: it is cut into chunks, and each is a task.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "pools/chunks.hpp"
#include "pools/future.hpp"

namespace pools {

// What map() gives.
template <class F, class Range>
using MappedBy = std::vector<ResultOf<F, std::ranges::range_value_t<Range>>>;

namespace detail {

// Calls use(chunks, how many items they have), with chunks that are there until it returns. A range
// that does not tell its length is read first.
template <bool borrows, std::ranges::input_range Range, class Use>
auto with_chunks(Range&& range, Use&& use) {
  if constexpr (std::ranges::sized_range<Range>) {
    const auto items = static_cast<std::size_t>(std::ranges::size(range));
    return use(Chunks<Range, borrows>(std::forward<Range>(range)), items);
  } else {
    std::vector<std::ranges::range_value_t<Range>> items;
    for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
    return with_chunks<borrows>(std::move(items), use);
  }
}

// Submits one task a chunk. When that fails, none is left behind.
template <class Pool, class Task, class Chunks>
auto submit_chunks(Pool& pool, const Task& task, Chunks& chunks, std::size_t size) {
  std::vector<Future<ResultOf<Task, ChunkOf<Chunks>>>> futures;
  try {
    for (auto chunk = chunks.next(size); chunk.size() > 0; chunk = chunks.next(size)) {
      futures.push_back(pool.submit(task, std::move(chunk)));
    }
  } catch (...) {
    for (auto& future : futures) future.cancel();
    for (auto& future : futures) future.wait();
    throw;
  }
  return futures;
}

// Takes the answers in their order, and waits for all of them, whatever happens. Throws the first
// error then.
template <class R, class Use>
void take_all(std::vector<Future<R>>& futures, Use&& use) {
  std::exception_ptr error;
  for (auto& future : futures) {
    try {
      if (error != nullptr) {
        future.wait();
      } else {
        use(future);
      }
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error != nullptr) std::rethrow_exception(error);
}

template <class R>
void append(std::vector<R>& results, std::vector<R> part) {
  results.insert(results.end(), std::move_iterator(part.begin()), std::move_iterator(part.end()));
}

// The futures of all chunks as one: ready when every chunk has ended, with all results or with the
// first error.
template <class R>
class Gathering final : public TaskState, public Engine {
 public:
  using Part = Future<std::vector<R>>;

  static Future<std::vector<R>> of(std::vector<Part> parts) {
    auto self = std::make_shared<Gathering>(std::move(parts));
    // Each part calls once, and the count is one more than they are: the last call is this one's or
    // theirs.
    for (Part& part : self->parts_) part.on_done([self] { self->part_ended(); });
    self->part_ended();
    return {self, self, [](TaskState& state) { return static_cast<Gathering&>(state).take(); }};
  }

  explicit Gathering(std::vector<Part> parts)
      : parts_(std::move(parts)), left_(parts_.size() + 1) {}

  bool wait(TaskState& state, ipc::Deadline deadline) override {
    return parts_.empty() ? state.sleep(deadline) : parts_[0].engine()->wait(state, deadline);
  }
  // Cancels the chunks that no worker has begun. True when that is all of them: otherwise this gets
  // its error when the others have ended.
  bool cancel(TaskState& /*this*/) override {
    bool all = true;
    for (Part& part : parts_) all = part.cancel() && all;
    return all;
  }
  [[nodiscard]] bool running(const TaskState& state) override {
    return !state.ready() && std::ranges::any_of(parts_, [](const Part& part) {
      const Phase phase = part.state();
      return phase == Phase::running || phase == Phase::done;
    });
  }
  [[nodiscard]] bool served_by_this_thread() const override {
    return !parts_.empty() && parts_[0].engine()->served_by_this_thread();
  }
  void attend() override {}  // each part has a callback, and is attended

 private:
  void part_ended() {
    // Acquires what the other parts' threads saw of them, releases what this one did.
    if (left_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    const auto failed =
        std::ranges::find_if(parts_, [](const Part& part) { return part.error() != nullptr; });
    if (failed == parts_.end()) {
      resolve();
    } else if (std::ranges::all_of(parts_, [](const Part& part) { return part.cancelled(); })) {
      resolve_cancelled();
    } else {
      resolve(failed->error());
    }
    run_callbacks();
  }

  std::vector<R> take() {
    std::vector<R> results;
    for (Part& part : parts_) append(results, part.get());
    return results;
  }

  std::vector<Part> parts_;
  std::atomic<std::size_t> left_;
};

}  // namespace detail

template <class Pool, class F, std::ranges::input_range Range>
auto map(Pool& pool, F&& function, Range&& range, std::size_t chunk) -> MappedBy<F, Range> {
  using Item = std::ranges::range_value_t<Range>;
  using R = ResultOf<F, Item>;
  static_assert(!std::is_void_v<R>, "map() collects results: for a function without, for_each()");
  detail::check_chunk(chunk);
  const detail::MapChunk<std::decay_t<F>> task{std::forward<F>(function)};
  return detail::with_chunks<true>(
      std::forward<Range>(range), [&](auto&& chunks, std::size_t items) -> std::vector<R> {
        chunk = detail::chunk_size<Item>(chunk, items, pool.workers());
        auto futures = detail::submit_chunks(pool, task, chunks, chunk);
        std::vector<R> results;
        results.reserve(items);
        detail::take_all(futures, [&](auto& future) { detail::append(results, future.get()); });
        return results;
      });
}

template <class Pool, class F, std::ranges::input_range Range>
auto map_async(Pool& pool, F&& function, Range&& range, std::size_t chunk)
    -> Future<MappedBy<F, Range>> {
  using Item = std::ranges::range_value_t<Range>;
  using R = ResultOf<F, Item>;
  static_assert(!std::is_void_v<R>, "map_async() collects results");
  detail::check_chunk(chunk);
  const detail::MapChunk<std::decay_t<F>> task{std::forward<F>(function)};
  return detail::with_chunks<false>(
      std::forward<Range>(range), [&](auto chunks, std::size_t items) {
        chunk = detail::chunk_size<Item>(chunk, items, pool.workers());
        return detail::Gathering<R>::of(detail::submit_chunks(pool, task, chunks, chunk));
      });
}

template <class Pool, class F, std::ranges::input_range Range>
void for_each(Pool& pool, F&& function, Range&& range, std::size_t chunk) {
  detail::check_chunk(chunk);
  const detail::ForEachChunk<std::decay_t<F>> task{std::forward<F>(function)};
  detail::with_chunks<true>(std::forward<Range>(range), [&](auto&& chunks, std::size_t items) {
    using Item = std::ranges::range_value_t<Range>;
    chunk = detail::chunk_size<Item>(chunk, items, pool.workers());
    auto futures = detail::submit_chunks(pool, task, chunks, chunk);
    detail::take_all(futures, [](auto& future) { future.get(); });
  });
}

}  // namespace pools
