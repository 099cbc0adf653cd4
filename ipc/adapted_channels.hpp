// Adapters over mechanisms of the registry when the program runs, compiled once. Link
// ipc::channels.
#pragma once

#include <span>

#include "ipc/any_channel.hpp"

namespace ipc {

// Watched<C> for each C of AllChannels, in that order.
std::span<const AnyChannel> watched_channels();

// Fragmented, Duplex, and adapters of adapters, over mechanisms of each kind.
std::span<const AnyChannel> composed_channels();

}  // namespace ipc
