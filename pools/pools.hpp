// The registry: every pool there is, in the order in which tables show them. It follows from
// ipc/channels.hpp and pools/locks.hpp: a new channel or lock has its pool without an entry here.
#pragma once

#include "ipc/channels.hpp"
#include "ipc/type_list.hpp"
#include "pools/locks.hpp"
#include "pools/pool.hpp"
#include "pools/process_pool.hpp"
#include "pools/thread_pool.hpp"

namespace pools {

namespace detail {

template <class... Lists>
struct Concatenated;
template <class... Ts>
struct Concatenated<ipc::TypeList<Ts...>> {
  using type = ipc::TypeList<Ts...>;
};
template <class... As, class... Bs, class... Rest>
struct Concatenated<ipc::TypeList<As...>, ipc::TypeList<Bs...>, Rest...> {
  using type = typename Concatenated<ipc::TypeList<As..., Bs...>, Rest...>::type;
};

template <class C>
struct PoolsOver {
  using type = ipc::TypeList<>;
};
template <ipc::Channel C>
requires(C::traits.crosses_processes) struct PoolsOver<C> {
  using type = ipc::TypeList<ProcessPool<C>>;
};

template <class... Cs>
using AllProcessPools = typename Concatenated<typename PoolsOver<Cs>::type...>::type;

}  // namespace detail

using AllProcessPools = ipc::AllChannels::into<detail::AllProcessPools>;
using AllThreadPools = AllLocks::map<ThreadPool>;
using AllPools = typename detail::Concatenated<AllProcessPools, AllThreadPools>::type;

static_assert([] {
  bool conform = true;
  AllPools::for_each([&]<class P>() { conform &= Pool<P>; });
  return conform;
}());

}  // namespace pools
