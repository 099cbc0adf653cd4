// The contract of a pool: tasks in, answers out, whoever does the work.
//
// - submit(function, args...) gives a Future. A task is called with copies of its arguments, and
//   gives back a copy: what works on threads works on processes.
// - A future resolves exactly once, whatever happens (pools/future.hpp), and may outlive the pool.
// - map() gives the results in order; it returns when every chunk has ended and throws the first
//   error then. An empty range gives an empty result.
// - close(): no more tasks (PoolClosed). join(): all tasks are done, all workers have ended;
//   std::logic_error when the pool is not closed. terminate(): what is not done gets
//   PoolTerminated. Each may be called again, in any order. The destructor closes and joins.
// - Members may be called from many threads at once.
#pragma once

#include <concepts>
#include <cstddef>
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
  { pool.map(function, range) } -> std::same_as<std::vector<int>>;
  { pool.map(function, range, std::size_t{1}) } -> std::same_as<std::vector<int>>;
  { pool.for_each(function, range) } -> std::same_as<void>;
  { pool.for_each(function, range, std::size_t{1}) } -> std::same_as<void>;
  { pool.close() } -> std::same_as<void>;
  { pool.join() } -> std::same_as<void>;
  { pool.terminate() } -> std::same_as<void>;
};

}  // namespace pools
