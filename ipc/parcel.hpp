// What it takes to rebuild a channel's end in a process that did not inherit it: descriptors and
// plain values, packed and unpacked in the same order, sent over a Unix socket.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "ipc/fd.hpp"
#include "ipc/passed_descriptors.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

class Parcel {
 public:
  static constexpr std::size_t descriptors_max = passed_descriptors_max;
  static constexpr std::size_t bytes_max = 4096;

  void put(Fd fd) { fds_.push_back(std::move(fd)); }

  template <class T>
  void put(const T& value) requires std::is_trivially_copyable_v<T> {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }

  // Whether something was lost on the way: there was no descriptor free, or it was too long.
  [[nodiscard]] bool cut() const { return cut_; }

  // With their number.
  void put_bytes(std::span<const std::byte> bytes) {
    put(bytes.size());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  // These throw std::runtime_error when the parcel holds no more: it is not what it claims to be.
  Fd take_fd() {
    if (next_fd_ == fds_.size()) {
      throw std::runtime_error(
          cut_ ? "parcel: cut short, probably at the limit of open files (ulimit -n)"
               : "parcel: a descriptor is missing");
    }
    return std::move(fds_[next_fd_++]);
  }

  template <class T>
  T take() requires std::is_trivially_copyable_v<T> {
    T value;
    if (bytes_.size() < next_byte_ + sizeof value) {
      throw std::runtime_error("parcel: a value is missing");
    }
    std::memcpy(&value, bytes_.data() + next_byte_, sizeof value);
    next_byte_ += sizeof value;
    return value;
  }

  std::vector<std::byte> take_bytes() {
    const auto count = take<std::size_t>();
    if (count > bytes_.size() - next_byte_) throw std::runtime_error("parcel: bytes are missing");
    const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(next_byte_);
    next_byte_ += count;
    return {from, from + static_cast<std::ptrdiff_t>(count)};
  }

  // Sends this as one message of a Unix seqpacket socket. False when the peer is gone.
  bool send(const Fd& socket) const {
    if (fds_.size() > descriptors_max || bytes_.size() > bytes_max) {
      throw std::length_error("parcel: " + std::to_string(fds_.size()) + " descriptors and " +
                              std::to_string(bytes_.size()) + " bytes are more than one carries");
    }
    const auto sent = send_with_descriptors(socket, bytes_, fds_, 0);
    if (sent >= 0) return true;
    if (errno == EPIPE || errno == ECONNRESET) return false;
    throw_errno("sendmsg(SCM_RIGHTS)");
  }

  // Receives one; nothing when the peer is gone. Blocks.
  static std::optional<Parcel> receive(const Fd& socket) {
    Parcel parcel;
    parcel.bytes_.resize(bytes_max);
    const auto got = receive_with_descriptors(socket, parcel.bytes_, 0,
                                              [&](Fd fd) { parcel.put(std::move(fd)); });
    if (got.bytes == -1 && errno != ECONNRESET) throw_errno("recvmsg(SCM_RIGHTS)");
    if (got.bytes <= 0) return std::nullopt;
    parcel.bytes_.resize(static_cast<std::size_t>(got.bytes));
    parcel.cut_ = got.cut;
    return parcel;
  }

 private:
  std::vector<Fd> fds_;
  // Begin with one that says nothing: a message of 0 bytes would look like the end of the socket.
  std::vector<std::byte> bytes_{std::byte{0}};
  std::size_t next_fd_ = 0;
  std::size_t next_byte_ = 1;
  bool cut_ = false;
};

}  // namespace ipc
