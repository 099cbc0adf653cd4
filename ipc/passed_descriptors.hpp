// A message of a Unix socket with descriptors beside its bytes (unix(7), SCM_RIGHTS).
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

inline constexpr std::size_t passed_descriptors_max = 32;  // SCM_MAX_FD is 253

namespace detail {

struct DescriptorRoom {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * passed_descriptors_max)> bytes;
};

inline msghdr message_header(iovec& data, DescriptorRoom& room, std::size_t descriptors) {
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (descriptors > 0) {
    header.msg_control = room.bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
  }
  return header;
}

}  // namespace detail

// sendmsg(2), and returns as it does. The receiver gets descriptors of its own, ours stay.
// Requires passed_descriptors_max descriptors at most, and a byte at least.
inline ssize_t send_with_descriptors(const Fd& socket, std::span<const std::byte> bytes,
                                     std::span<const Fd> descriptors, int flags) {
  detail::DescriptorRoom room{};
  iovec data{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  const msghdr header = detail::message_header(data, room, descriptors.size());
  if (cmsghdr* const rights = CMSG_FIRSTHDR(&header); rights != nullptr) {
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
      const int fd = descriptors[i].get();
      std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  return retry_interrupted([&] { return ::sendmsg(socket.get(), &header, flags | MSG_NOSIGNAL); });
}

struct ReceivedWithDescriptors {
  ssize_t bytes;  // as recvmsg(2) returns it
  bool cut;       // something did not fit, or there was no descriptor free
};

// recvmsg(2); calls take(Fd) for each descriptor that came along.
template <class Take>
ReceivedWithDescriptors receive_with_descriptors(const Fd& socket, std::span<std::byte> buffer,
                                                 int flags, Take&& take) {
  detail::DescriptorRoom room;
  iovec data{.iov_base = buffer.data(), .iov_len = buffer.size()};
  msghdr header = detail::message_header(data, room, passed_descriptors_max);
  const auto got =
      retry_interrupted([&] { return ::recvmsg(socket.get(), &header, flags | MSG_CMSG_CLOEXEC); });
  if (got == -1) return {.bytes = -1, .cut = false};
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
      take(Fd(fd));
    }
  }
  return {.bytes = got, .cut = (header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0};
}

}  // namespace ipc
