// What it takes to rebuild a channel's end in a process that did not inherit it: descriptors and
// plain values, packed and unpacked in the same order, sent over a Unix socket.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

class Parcel {
 public:
  static constexpr std::size_t descriptors_max = 32;  // SCM_MAX_FD is 253 (unix(7))
  static constexpr std::size_t bytes_max = 4096;

  void put(Fd fd) { fds_.push_back(std::move(fd)); }

  template <class T>
  void put(const T& value) requires std::is_trivially_copyable_v<T> {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }

  // Both throw std::runtime_error when the parcel holds no more: it is not what it claims to be.
  Fd take_fd() {
    if (next_fd_ == fds_.size()) throw std::runtime_error("parcel: a descriptor is missing");
    return std::move(fds_[next_fd_++]);
  }

  template <class T>
  T take() requires std::is_trivially_copyable_v<T> {
    T value;
    if (bytes_.size() - next_byte_ < sizeof value) {
      throw std::runtime_error("parcel: a value is missing");
    }
    std::memcpy(&value, bytes_.data() + next_byte_, sizeof value);
    next_byte_ += sizeof value;
    return value;
  }

  // Sends this as one message of a Unix seqpacket socket. False when the peer is gone.
  bool send(const Fd& socket) const {
    if (fds_.size() > descriptors_max || bytes_.size() > bytes_max) {
      throw std::length_error("parcel: " + std::to_string(fds_.size()) + " descriptors and " +
                              std::to_string(bytes_.size()) + " bytes are more than one carries");
    }
    Control control{};
    iovec data{.iov_base = const_cast<std::byte*>(bytes_.data()), .iov_len = bytes_.size()};
    msghdr header = message(data, control);
    if (fds_.empty()) {
      header.msg_control = nullptr;
      header.msg_controllen = 0;
    } else {
      header.msg_controllen = CMSG_SPACE(sizeof(int) * fds_.size());
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * fds_.size());
      for (std::size_t i = 0; i < fds_.size(); ++i) {
        const int fd = fds_[i].get();
        std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
      }
    }
    const auto sent =
        retry_interrupted([&] { return ::sendmsg(socket.get(), &header, MSG_NOSIGNAL); });
    if (sent >= 0) return true;
    if (errno == EPIPE || errno == ECONNRESET) return false;
    throw_errno("sendmsg(SCM_RIGHTS)");
  }

  // Receives one; nothing when the peer is gone. Blocks.
  static std::optional<Parcel> receive(const Fd& socket) {
    Parcel parcel;
    parcel.bytes_.resize(bytes_max);
    Control control{};
    iovec data{.iov_base = parcel.bytes_.data(), .iov_len = parcel.bytes_.size()};
    msghdr header = message(data, control);
    const auto got =
        retry_interrupted([&] { return ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC); });
    if (got == -1 && errno != ECONNRESET) throw_errno("recvmsg(SCM_RIGHTS)");
    if (got <= 0) return std::nullopt;
    parcel.bytes_.resize(static_cast<std::size_t>(got));
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      for (std::size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0);
           at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
        parcel.put(Fd(fd));
      }
    }
    if ((header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
      throw std::runtime_error(
          "parcel: cut short, probably at the limit of open files (ulimit -n)");
    }
    return parcel;
  }

 private:
  struct Control {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * descriptors_max)> bytes;
  };

  static msghdr message(iovec& data, Control& control) {
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    return header;
  }

  std::vector<Fd> fds_;
  // Begin with one that says nothing: a message of 0 bytes would look like the end of the socket.
  std::vector<std::byte> bytes_{std::byte{0}};
  std::size_t next_fd_ = 0;
  std::size_t next_byte_ = 1;
};

}  // namespace ipc
