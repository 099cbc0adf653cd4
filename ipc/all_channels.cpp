#include "ipc/all_channels.hpp"

#include "ipc/channels.hpp"

namespace ipc {

std::span<const AnyChannel> all_channels() {
  return AllChannels::into<ErasedChannels>::list;
}

}  // namespace ipc
