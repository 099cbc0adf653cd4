// Results as they come: imap() and imap_unordered(), the same for every pool.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pools/chunks.hpp"
#include "pools/wait.hpp"

namespace pools {

struct ImapOptions {
  std::size_t chunk = 1;
  // Chunks that are submitted and that the reader has not reached: never more are read from the
  // input. 0: two for each worker.
  std::size_t look_ahead = 0;
  std::optional<std::chrono::nanoseconds> timeout{};  // for each result; none: as long as it takes
};

enum class Order : bool { of_items, of_completion };

// The results of a range, read while they are computed: an input range, to be read once, by one
// thread. Reading and ++ throw what the task threw, and the next ones go on behind that chunk. What
// the input throws is thrown after the results of the complete chunks before it. TimedOut ends the
// range.
// Destroying it cancels what no worker has begun. Outlived by the pool and by the input.
template <class Pool, class F, std::ranges::input_range Range>
class Imap {
  using Source = detail::Chunks<Range, false>;
  using Task = detail::MapChunk<F>;
  using Results = ResultOf<Task, detail::ChunkOf<Source>>;

 public:
  using Result = std::ranges::range_value_t<Results>;

  class Iterator {
   public:
    using value_type = Result;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(Imap& range) : range_(&range) {}

    // May be moved from.
    decltype(auto) operator*() const { return range_->state_->results[range_->state_->at]; }
    Iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) { return at.done(); }

   private:
    [[nodiscard]] bool done() const { return range_->done(); }

    Imap* range_ = nullptr;
  };

  // Submits the first chunks.
  Imap(Pool& pool, F function, Range&& input, Order order, const ImapOptions& options)
      : state_(std::make_unique<State>(pool, Task{std::move(function)}, std::forward<Range>(input),
                                       order, options)) {
    detail::check_chunk(options.chunk);
    if (options.look_ahead == 0) state_->options.look_ahead = 2 * pool.workers();
    look_ahead();
  }
  Imap(Imap&&) noexcept = default;
  Imap& operator=(Imap&&) = delete;
  ~Imap() {
    if (state_ != nullptr) cancel();
  }

  // Waits for the first result, as ++ waits for the next.
  Iterator begin() {
    if (!state_->begun) advance();
    state_->begun = true;
    return Iterator(*this);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  // In one place, however often the range is moved: iterators and chunks refer to it.
  struct State {
    State(Pool& its_pool, Task its_task, Range&& input, Order its_order,
          const ImapOptions& its_options)
        : pool(its_pool),
          task(std::move(its_task)),
          source(std::forward<Range>(input)),
          order(its_order),
          options(its_options) {}

    Pool& pool;
    const Task task;
    Source source;
    const Order order;
    ImapOptions options;
    bool begun = false;
    bool input_ended = false;
    std::exception_ptr input_error;  // behind the results of what was read before it
    std::size_t submitted = 0;
    std::size_t taken = 0;
    std::unordered_map<std::size_t, Future<Results>> ahead;  // by number
    Completions completions;                                 // of those, for Order::of_completion
    Results results;                                         // of the chunk that is being read
    std::size_t at = 0;
  };

  // Not after a chunk that threw, while there is another one.
  [[nodiscard]] bool done() const {
    return state_->at == state_->results.size() && state_->ahead.empty() &&
           state_->input_error == nullptr;
  }

  void look_ahead() {
    State& state = *state_;
    while (!state.input_ended && state.ahead.size() < state.options.look_ahead) {
      try {
        auto chunk = state.source.next(state.options.chunk);
        if (chunk.size() == 0) {
          state.input_ended = true;
          return;
        }
        auto future = state.pool.submit(state.task, std::move(chunk));
        if (state.order == Order::of_completion) state.completions.add(state.submitted, future);
        state.ahead.emplace(state.submitted++, std::move(future));
      } catch (...) {
        state.input_ended = true;
        state.input_error = std::current_exception();
      }
    }
  }

  void advance() {
    State& state = *state_;
    if (++state.at < state.results.size()) return;
    state.results.clear();
    state.at = 0;
    if (state.ahead.empty()) {
      if (state.input_error != nullptr) {
        std::rethrow_exception(std::exchange(state.input_error, nullptr));
      }
      return;
    }
    const auto number = next_ready();
    auto future = std::move(state.ahead.extract(number).mapped());
    look_ahead();
    state.results = future.get();
  }

  std::size_t next_ready() {
    State& state = *state_;
    const auto deadline =
        state.options.timeout ? ipc::Deadline::in(*state.options.timeout) : ipc::Deadline::never();
    if (state.order == Order::of_completion) {
      if (const auto number = state.completions.next(deadline)) return *number;
    } else if (state.ahead.at(state.taken).wait(deadline)) {
      return state.taken++;
    }
    const std::size_t unfinished = state.ahead.size();
    cancel();
    throw TimedOut(
        "no result within " +
        std::to_string(std::chrono::duration<double, std::milli>(*state.options.timeout).count()) +
        " ms, its ImapOptions::timeout; " + std::to_string(unfinished) + " chunks unfinished");
  }

  void cancel() {
    for (auto& [number, future] : state_->ahead) future.cancel();
    state_->ahead.clear();
    state_->input_ended = true;
    state_->input_error = nullptr;
  }

  std::unique_ptr<State> state_;
};

}  // namespace pools
