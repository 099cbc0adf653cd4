// Waiting for many futures, of one pool or of several.
//
//   for (auto& future : pools::as_completed(futures)) use(future.get());
//   auto [done, not_done] = pools::wait(futures, pools::WaitFor::first_completed);
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "ipc/deadline.hpp"
#include "pools/future.hpp"

namespace pools {

enum class WaitFor : std::uint8_t {
  first_completed,
  first_exception,  // or all, when none fails; one that was cancelled did not fail
  all_completed,
};

// Which of many futures have become ready, in the order in which they did. The thread that asks
// does the work of their pool while it waits; of several pools, one's, and the others see to
// theirs. Belongs to one thread.
class Completions {
 public:
  Completions();
  Completions(Completions&&) noexcept;
  Completions& operator=(Completions&&) = delete;
  ~Completions();

  // Adds one under a number of the caller's choice. Requires that it is valid, and that no other
  // has the number until next() has given it.
  void add(std::size_t number, const AnyFuture& future);
  // Those that next() has not given.
  [[nodiscard]] std::size_t left() const { return watched_.size(); }
  // The number of the next one that is ready. None at the deadline, and when there is none left.
  std::optional<std::size_t> next(ipc::Deadline deadline = ipc::Deadline::never());

 private:
  class Arrivals;
  struct Watched {
    AnyFuture future;
    TaskState::CallbackId callback;
  };

  std::shared_ptr<Arrivals> arrivals_;
  std::unordered_map<std::size_t, Watched> watched_;
  std::shared_ptr<Engine> engine_;  // whose work is done while waiting
  bool several_ = false;            // they belong to several, and each sees to its own
};

template <class Range>
concept Futures = std::ranges::forward_range<Range> &&
    std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>> &&
    std::derived_from<std::ranges::range_value_t<Range>, AnyFuture>;

namespace detail {

// Each once, however often it is named.
template <Futures Range>
auto distinct(Range& futures) {
  std::vector<std::remove_reference_t<std::ranges::range_reference_t<Range>>*> found;
  std::unordered_set<const TaskState*> seen;
  for (auto& future : futures) {
    if (seen.insert(future.task_state().get()).second) found.push_back(&future);
  }
  return found;
}

bool failed(const AnyFuture& ready);
[[noreturn]] void throw_unfinished(std::size_t left, std::size_t all);

}  // namespace detail

template <class F>
struct Waited {
  std::vector<F*> done;
  std::vector<F*> not_done;
};

// Waits for one or all of them, or until the deadline. A future that is named twice counts once.
// Requires that all are valid. The pointers are into `futures`, in their order there.
template <Futures Range>
auto wait(Range& futures, WaitFor what = WaitFor::all_completed,
          ipc::Deadline deadline = ipc::Deadline::never()) {
  Waited<std::remove_reference_t<std::ranges::range_reference_t<Range>>> waited;
  const auto all = detail::distinct(futures);
  if (what == WaitFor::all_completed) {
    for (auto* future : all) future->wait(deadline);
  } else {
    Completions completions;
    for (std::size_t i = 0; i < all.size(); ++i) completions.add(i, *all[i]);
    while (const auto next = completions.next(deadline)) {
      if (what == WaitFor::first_completed || detail::failed(*all[*next])) break;
    }
  }
  for (auto* future : all) (future->ready() ? waited.done : waited.not_done).push_back(future);
  return waited;
}

// The futures as they become ready: an input range, to be read once.
template <class F>
class AsCompleted {
 public:
  class Iterator {
   public:
    using value_type = F;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(AsCompleted& range) : range_(&range) {}

    F& operator*() const { return *range_->now_; }
    Iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) { return at.ended(); }

   private:
    [[nodiscard]] bool ended() const { return range_->now_ == nullptr; }

    AsCompleted* range_ = nullptr;
  };

  AsCompleted(std::vector<F*> futures, ipc::Deadline deadline)
      : futures_(std::move(futures)), deadline_(deadline) {
    for (std::size_t i = 0; i < futures_.size(); ++i) completions_.add(i, *futures_[i]);
  }

  // Waits for the first, as ++ waits for the next. Both throw TimedOut at the deadline.
  Iterator begin() {
    advance();
    return Iterator(*this);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  void advance() {
    now_ = nullptr;
    if (const auto next = completions_.next(deadline_)) {
      now_ = futures_[*next];
    } else if (completions_.left() > 0) {
      detail::throw_unfinished(completions_.left(), futures_.size());
    }
  }

  std::vector<F*> futures_;
  ipc::Deadline deadline_;
  Completions completions_;
  F* now_ = nullptr;
};

// Each future once, in the order in which they become ready. Requires that all are valid, and that
// `futures` stays as it is for as long as the result is used.
template <Futures Range>
auto as_completed(Range& futures, ipc::Deadline deadline = ipc::Deadline::never()) {
  using F = std::remove_reference_t<std::ranges::range_reference_t<Range>>;
  return AsCompleted<F>(detail::distinct(futures), deadline);
}

}  // namespace pools
