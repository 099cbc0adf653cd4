// unix(7), SOCK_SEQPACKET: sockets that keep the borders of messages themselves.
#pragma once

#include <sys/socket.h>

#include <algorithm>

#include "ipc/channel.hpp"
#include "ipc/message_socket.hpp"
#include "ipc/socket_pair.hpp"

namespace ipc {

struct UnixSeqpacket {
  static constexpr std::string_view name = "unix_seqpacket";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{128} << 10,  // fits the send buffer of a default system
      .senders = Arity::many,
      .receivers = Arity::many,
      .death_notice = "end of file, EPIPE",
  };

  using Sender = MessageSocketSender;
  using Receiver = MessageSocketReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto pair =
        SocketPair::open(SOCK_SEQPACKET, std::max(options.capacity.bytes, options.message_bytes));
    return {
        Sender(std::move(pair.sender), options.message_bytes, {.bytes = pair.send_buffer_bytes}),
        Receiver(std::move(pair.receiver), options.message_bytes)};
  }
};

static_assert(Channel<UnixSeqpacket>);

}  // namespace ipc
