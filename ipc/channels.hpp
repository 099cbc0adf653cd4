// The registry: every mechanism, once, in the order in which tables show them.
// A new one is its file in ipc/channels/ and its entry here.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/channels/pipe.hpp"
#include "ipc/channels/unix_seqpacket.hpp"
#include "ipc/channels/unix_stream.hpp"
#include "ipc/type_list.hpp"

namespace ipc {

using AllChannels = TypeList<Pipe, UnixStream, UnixSeqpacket>;

}  // namespace ipc
