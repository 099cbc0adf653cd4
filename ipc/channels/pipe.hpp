// pipe(7): a byte stream in the kernel, framed.
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "ipc/channel.hpp"
#include "ipc/framing.hpp"

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
    Fd reader(fds[0]);
    Fd writer(fds[1]);
    const std::size_t bytes = resize(writer, options.capacity.bytes);
    constexpr Framing framing(PIPE_BUF);
    return {Sender(std::move(writer), framing, options.message_bytes, {.bytes = bytes}),
            Receiver(std::move(reader), framing, options.message_bytes)};
  }

 private:
  // Without privilege a pipe grows to /proc/sys/fs/pipe-max-size at most, and past the user's
  // pipe-user-pages-soft not at all: what is got is reported, not assumed.
  static std::size_t resize(const Fd& pipe, std::size_t bytes) {
    std::size_t limit = bytes;
    std::ifstream("/proc/sys/fs/pipe-max-size") >> limit;
    for (const std::size_t size : {bytes, std::min(bytes, limit)}) {
      if (::fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(size)) != -1) break;
    }
    return static_cast<std::size_t>(
        check("fcntl(F_GETPIPE_SZ)", [&] { return ::fcntl(pipe.get(), F_GETPIPE_SZ); }));
  }
};

static_assert(Channel<Pipe>);

}  // namespace ipc
