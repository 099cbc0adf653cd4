// Every channel, between threads and between processes: what typed tests run over.
#pragma once

#include <gtest/gtest.h>

#include "ipc/channels.hpp"
#include "ipc/type_list.hpp"
#include "tests/channel_peers.hpp"

namespace tests {

template <class C, class P>
struct Between {
  using Channel = C;
  using Peer = P;
};

template <class C>
using BetweenThreads = Between<C, ThreadPeer>;
template <class C>
using BetweenProcesses = Between<C, ProcessPeer>;

template <class... Lists>
struct Concat;
template <class... As, class... Bs>
struct Concat<ipc::TypeList<As...>, ipc::TypeList<Bs...>> {
  using type = ipc::TypeList<As..., Bs...>;
};

using ChannelCases = Concat<ipc::AllChannels::map<BetweenThreads>,
                            ipc::AllChannels::map<BetweenProcesses>>::type::into<testing::Types>;

}  // namespace tests
