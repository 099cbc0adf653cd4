// pipe(7): a byte stream in the kernel, framed.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/framed_pipe.hpp"

namespace ipc {

struct Pipe {
  static constexpr std::string_view name = "pipe";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .death_notice = "end of file, EPIPE",
  };

  using Sender = FramedSender;
  using Receiver = FramedReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return framed_pipe(open_pipe(), options);
  }
};

static_assert(Channel<Pipe>);

}  // namespace ipc
