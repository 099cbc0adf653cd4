// The calls that every pool has, written once, on submit(), close() and join(): a pool derives from
// Verbs of itself.
#pragma once

#include <cstddef>
#include <functional>
#include <ranges>
#include <type_traits>
#include <utility>

#include "pools/call.hpp"
#include "pools/future.hpp"
#include "pools/imap.hpp"
#include "pools/map.hpp"

namespace pools {

// A chunk is what one task gets of a range; automatic_chunk suits the range and the workers. A
// chunk of 0 is refused with std::invalid_argument, and nothing is submitted. An empty range gives
// its empty result at once. What the range throws is thrown. A task of a thread pool may call any
// of these on its own pool.
template <class Pool>
class Verbs {
 public:
  // The result of one call, waited for.
  template <class F, class... Args>
  requires Callable<F, Args...>
  auto apply(F&& function, Args&&... args) -> ResultOf<F, Args...> {
    return self().submit(std::forward<F>(function), std::forward<Args>(args)...).get();
  }

  // The results in the order of the range. Returns when every chunk has ended; throws the first
  // error then, in the order of the range.
  template <class F, std::ranges::input_range Range>
  auto map(F&& function, Range&& range, std::size_t chunk = automatic_chunk) -> MappedBy<F, Range> {
    return pools::map(self(), std::forward<F>(function), std::forward<Range>(range), chunk);
  }
  // The same, not waited for: one future of all results, or of the first error. Its cancel()
  // cancels the chunks that no worker has begun.
  template <class F, std::ranges::input_range Range>
  auto map_async(F&& function, Range&& range, std::size_t chunk = automatic_chunk)
      -> Future<MappedBy<F, Range>> {
    return pools::map_async(self(), std::forward<F>(function), std::forward<Range>(range), chunk);
  }

  // Items that are tuples of arguments.
  template <class F, std::ranges::input_range Range>
  auto starmap(F&& function, Range&& tuples, std::size_t chunk = automatic_chunk)
      -> MappedBy<detail::Starred<std::decay_t<F>>, Range> {
    return map(detail::Starred<std::decay_t<F>>{std::forward<F>(function)},
               std::forward<Range>(tuples), chunk);
  }
  template <class F, std::ranges::input_range Range>
  auto starmap_async(F&& function, Range&& tuples, std::size_t chunk = automatic_chunk)
      -> Future<MappedBy<detail::Starred<std::decay_t<F>>, Range>> {
    return map_async(detail::Starred<std::decay_t<F>>{std::forward<F>(function)},
                     std::forward<Range>(tuples), chunk);
  }

  // For what the function does, not for what it gives. Called with the elements themselves of a
  // SharedArray, with copies of other items.
  template <class F, std::ranges::input_range Range>
  void for_each(F&& function, Range&& range, std::size_t chunk = automatic_chunk) {
    pools::for_each(self(), std::forward<F>(function), std::forward<Range>(range), chunk);
  }

  // Results to be read while later ones are computed: in the order of the items, or as they come
  // (pools/imap.hpp). A range that is an lvalue has to outlive them.
  template <class F, std::ranges::input_range Range>
  auto imap(F&& function, Range&& range, const ImapOptions& options = {}) {
    return stream(std::forward<F>(function), std::forward<Range>(range), Order::of_items, options);
  }
  template <class F, std::ranges::input_range Range>
  auto imap_unordered(F&& function, Range&& range, const ImapOptions& options = {}) {
    return stream(std::forward<F>(function), std::forward<Range>(range), Order::of_completion,
                  options);
  }

  // Takes no more tasks; cancels those that no worker has begun, when asked to; waits until all are
  // done and all workers have ended, unless told not to: they are done all the same, at the latest
  // before the destructor returns.
  void shutdown(bool wait = true, bool cancel_futures = false) {
    self().close();
    if (cancel_futures) self().cancel_pending();
    if (wait) self().join();
  }

 private:
  Pool& self() { return static_cast<Pool&>(*this); }

  template <class F, class Range>
  auto stream(F&& function, Range&& range, Order order, const ImapOptions& options) {
    return Imap<Pool, std::decay_t<F>, Range>(self(), std::forward<F>(function),
                                              std::forward<Range>(range), order, options);
  }
};

}  // namespace pools
