// A pair of connected Unix sockets with the room that was asked for.
#pragma once

#include <sys/socket.h>

#include <array>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/socket_buffer.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct SocketPair {
  Fd sender;
  Fd receiver;
  std::size_t send_buffer_bytes;  // as the kernel counts

  static SocketPair open(int type, std::size_t bytes) {
    std::array<int, 2> fds{};
    check("socketpair", [&] { return ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()); });
    SocketPair pair{.sender = Fd(fds[0]), .receiver = Fd(fds[1]), .send_buffer_bytes = 0};
    // What is under way counts against the sender's buffer only.
    resize(pair.sender, SocketBuffer::send, bytes);
    pair.send_buffer_bytes = buffer_bytes(pair.sender, SocketBuffer::send);
    return pair;
  }
};

}  // namespace ipc
