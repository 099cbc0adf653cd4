// pipe(7): a byte stream in the kernel, framed.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>

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
    std::array<int, 2> fds{};
    check("pipe2", [&] { return ::pipe2(fds.data(), O_CLOEXEC); });
    return framed_pipe({.reader = Fd(fds[0]), .writer = Fd(fds[1])}, options);
  }
};

static_assert(Channel<Pipe>);

}  // namespace ipc
