// The contract of a pool: tasks in, answers out, whoever does the work.
//
// - submit(function, args...) gives a Future. A task is called with copies of its arguments, and
//   gives back a copy: what works on threads works on processes.
// - A future resolves exactly once, whatever happens (pools/future.hpp), and may outlive the pool.
//   wait() and as_completed() are for many, of one pool or of several (pools/wait.hpp).
// - apply, map, starmap, for_each wait for what they begin; map_async, starmap_async give a future;
//   imap, imap_unordered give results to be read while later ones are computed (pools/verbs.hpp).
// - cancel_pending(): what no worker has begun gets Cancelled.
// - close(): no more tasks (PoolClosed). join(): all tasks are done, all workers have ended;
//   std::logic_error when the pool is not closed. terminate(): what is not done gets
//   PoolTerminated. shutdown() is close(), with cancel_pending() and without join() when told so.
//   Each may be called again, in any order. The destructor closes and joins: what
//   was submitted is done.
// - Members may be called from many threads at once.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <string_view>
#include <vector>

#include "pools/future.hpp"
#include "pools/options.hpp"

namespace pools {

template <class P>
concept Pool = std::constructible_from<P, const Options&> &&
    requires(P pool, const P& constant, int (*function)(int), std::vector<int> range) {
  { P::name } -> std::convertible_to<std::string_view>;
  { constant.workers() } -> std::same_as<std::size_t>;
  { pool.submit(function, 1) } -> std::same_as<Future<int>>;
  { pool.submit(TaskOptions{}, function, 1) } -> std::same_as<Future<int>>;
  { pool.apply(function, 1) } -> std::same_as<int>;
  { pool.map(function, range) } -> std::same_as<std::vector<int>>;
  { pool.map(function, range, std::size_t{1}) } -> std::same_as<std::vector<int>>;
  { pool.map_async(function, range) } -> std::same_as<Future<std::vector<int>>>;
  { pool.for_each(function, range) } -> std::same_as<void>;
  { pool.imap(function, range) } -> std::ranges::input_range;
  { pool.imap_unordered(function, range) } -> std::ranges::input_range;
  { pool.resize(std::size_t{2}) } -> std::same_as<void>;
  { pool.cancel_pending() } -> std::same_as<void>;
  { pool.shutdown(false, true) } -> std::same_as<void>;
  { pool.close() } -> std::same_as<void>;
  { pool.join() } -> std::same_as<void>;
  { pool.terminate() } -> std::same_as<void>;
};

}  // namespace pools
