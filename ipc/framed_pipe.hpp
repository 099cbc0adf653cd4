// The two ends of a pipe in the kernel, however it was made, as ends of a channel.
#pragma once

#include <fcntl.h>
#include <limits.h>

#include <algorithm>
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

// Gives the pipe as much of the room as it can get, and says how much that is, in bytes. Without
// privilege a pipe grows to /proc/sys/fs/pipe-max-size at most, and past the user's
// pipe-user-pages-soft not at all: what is got is reported, not assumed.
inline std::size_t resize_pipe(const Fd& pipe, std::size_t bytes) {
  std::size_t limit = bytes;
  std::ifstream("/proc/sys/fs/pipe-max-size") >> limit;
  for (const std::size_t size : {bytes, std::min(bytes, limit)}) {
    if (::fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(size)) != -1) break;
  }
  return static_cast<std::size_t>(
      check("fcntl(F_GETPIPE_SZ)", [&] { return ::fcntl(pipe.get(), F_GETPIPE_SZ); }));
}

// Requires blocking descriptors.
inline std::pair<FramedSender, FramedReceiver> framed_pipe(PipeEnds pipe, const Options& options) {
  const std::size_t bytes = resize_pipe(pipe.writer, options.capacity.bytes);
  constexpr Framing framing(PIPE_BUF);
  return {FramedSender(std::move(pipe.writer), framing, options.message_bytes, {.bytes = bytes}),
          FramedReceiver(std::move(pipe.reader), framing, options.message_bytes)};
}

}  // namespace ipc
