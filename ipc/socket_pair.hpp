// A pair of connected Unix sockets with the room that was asked for.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct SocketPair {
  Fd sender;
  Fd receiver;
  std::size_t send_buffer_bytes;  // as the kernel counts: its bookkeeping included (socket(7))

  static SocketPair open(int type, std::size_t bytes) {
    std::array<int, 2> fds{};
    check("socketpair", [&] { return ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()); });
    SocketPair pair{.sender = Fd(fds[0]), .receiver = Fd(fds[1]), .send_buffer_bytes = 0};
    // What is under way counts against the sender's buffer only. With CAP_NET_ADMIN it may pass
    // /proc/sys/net/core/wmem_max; without, the kernel takes the limit and says nothing.
    const int wanted = static_cast<int>(bytes);
    if (::setsockopt(pair.sender.get(), SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0) {
      check("setsockopt(SO_SNDBUF)", [&] {
        return ::setsockopt(pair.sender.get(), SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
      });
    }
    int got = 0;
    socklen_t size = sizeof got;
    check("getsockopt(SO_SNDBUF)",
          [&] { return ::getsockopt(pair.sender.get(), SOL_SOCKET, SO_SNDBUF, &got, &size); });
    pair.send_buffer_bytes = static_cast<std::size_t>(got);
    return pair;
  }
};

}  // namespace ipc
