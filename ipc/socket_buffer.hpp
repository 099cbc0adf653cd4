// The room of a socket, as large as the kernel lets it be.
#pragma once

#include <sys/socket.h>

#include <cstddef>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

enum class SocketBuffer : int { send = SO_SNDBUF, receive = SO_RCVBUF };

// Asks for a buffer of so many bytes. With CAP_NET_ADMIN it may pass /proc/sys/net/core/wmem_max
// (rmem_max); without, the kernel takes the limit and says nothing.
inline void resize(const Fd& socket, SocketBuffer which, std::size_t bytes) {
  const auto set = [&](int option) {
    const int wanted = static_cast<int>(bytes);
    return ::setsockopt(socket.get(), SOL_SOCKET, option, &wanted, sizeof wanted);
  };
  if (set(which == SocketBuffer::send ? SO_SNDBUFFORCE : SO_RCVBUFFORCE) == 0) return;
  check("setsockopt(SO_SNDBUF or SO_RCVBUF)", [&] { return set(static_cast<int>(which)); });
}

// What it has, as the kernel counts: its bookkeeping included (socket(7)).
inline std::size_t buffer_bytes(const Fd& socket, SocketBuffer which) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  check("getsockopt(SO_SNDBUF or SO_RCVBUF)", [&] {
    return ::getsockopt(socket.get(), SOL_SOCKET, static_cast<int>(which), &bytes, &size);
  });
  return static_cast<std::size_t>(bytes);
}

}  // namespace ipc
