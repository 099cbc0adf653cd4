// The registry when the program runs: every mechanism of ipc/channels.hpp, compiled once.
#pragma once

#include <span>

#include "ipc/any_channel.hpp"

namespace ipc {

// In the order of AllChannels. Link ipc::channels.
std::span<const AnyChannel> all_channels();

}  // namespace ipc
