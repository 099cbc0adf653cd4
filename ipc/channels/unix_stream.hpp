// unix(7), SOCK_STREAM: a byte stream between two sockets, framed.
#pragma once

#include <sys/socket.h>

#include "ipc/channel.hpp"
#include "ipc/framing.hpp"
#include "ipc/socket_pair.hpp"

namespace ipc {

struct UnixStream {
  static constexpr std::string_view name = "unix_stream";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .death_notice = "end of file, EPIPE",
  };

  using Sender = FramedSender;
  using Receiver = FramedReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto pair = SocketPair::open(SOCK_STREAM, options.capacity.bytes);
    constexpr Framing framing(0);
    return {Sender(std::move(pair.sender), framing, options.message_bytes,
                   {.bytes = pair.send_buffer_bytes}),
            Receiver(std::move(pair.receiver), framing, options.message_bytes)};
  }
};

static_assert(Channel<UnixStream>);

}  // namespace ipc
