// The two ends of a pipe in the kernel, however it was made, as ends of a channel.
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/framing.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct PipeEnds {
  Fd reader;
  Fd writer;
};

inline PipeEnds open_pipe() {
  std::array<int, 2> fds{};
  check("pipe2", [&] { return ::pipe2(fds.data(), O_CLOEXEC); });
  return {.reader = Fd(fds[0]), .writer = Fd(fds[1])};
}

inline std::size_t pipe_bytes(const Fd& pipe) {
  return static_cast<std::size_t>(
      check("fcntl(F_GETPIPE_SZ)", [&] { return ::fcntl(pipe.get(), F_GETPIPE_SZ); }));
}

// Gives the pipe as much of the room as it can get, and says how much that is, in bytes. Without
// privilege a pipe grows to /proc/sys/fs/pipe-max-size at most, and past the user's
// pipe-user-pages-soft not at all: what is got is reported, not assumed.
inline std::size_t resize_pipe(const Fd& pipe, std::size_t bytes) {
  std::size_t limit = bytes;
  std::ifstream("/proc/sys/fs/pipe-max-size") >> limit;
  for (const std::size_t size : {bytes, std::min(bytes, limit)}) {
    if (::fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(size)) != -1) break;
  }
  return pipe_bytes(pipe);
}

// Requires blocking descriptors.
template <FrameWriter Writer = GatheringWriter>
std::pair<BasicFramedSender<Writer>, FramedReceiver> framed_pipe(PipeEnds pipe,
                                                                 const Options& options) {
  const std::size_t bytes = resize_pipe(pipe.writer, options.capacity.bytes);
  constexpr Framing framing(PIPE_BUF);
  return {BasicFramedSender<Writer>(std::move(pipe.writer), framing, options.message_bytes,
                                    {.bytes = bytes}),
          FramedReceiver(std::move(pipe.reader), framing, options.message_bytes)};
}

}  // namespace ipc
