#include "ipc/adapted_channels.hpp"

#include "ipc/adapters/duplex.hpp"
#include "ipc/adapters/fragmented.hpp"
#include "ipc/adapters/watched.hpp"
#include "ipc/channels.hpp"

namespace ipc {

std::span<const AnyChannel> watched_channels() {
  return AllChannels::map<Watched>::into<ErasedChannels>::list;
}

std::span<const AnyChannel> composed_channels() {
  using Composed =
      TypeList<Fragmented<Pipe>, Fragmented<PosixQueue>, Fragmented<SysvQueue>,
               Fragmented<ShmMutex>, Duplex<Pipe>, Duplex<PosixQueue>, Duplex<SpscRing<Futex>>,
               Fragmented<Watched<PosixQueue>>, Fragmented<Watched<SysvQueue>>,
               Duplex<Fragmented<Watched<PosixQueue>>>>;
  return Composed::into<ErasedChannels>::list;
}

}  // namespace ipc
