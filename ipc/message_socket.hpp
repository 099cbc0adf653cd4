// Messages over a socket that keeps their borders (send(2), recvmsg(2)): both ends of
// unix_seqpacket, and most of those of unix_datagram. A message of no bytes is the end of the
// stream.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/held_message.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

class MessageSocketSender {
 public:
  MessageSocketSender(Fd socket, std::size_t message_bytes, Capacity capacity)
      : socket_(std::move(socket)), message_bytes_(message_bytes), capacity_(capacity) {}
  explicit MessageSocketSender(Parcel& parcel)
      : socket_(parcel.take_fd()),
        message_bytes_(parcel.take<std::size_t>()),
        capacity_(parcel.take<Capacity>()) {}

  void pack(Parcel& parcel) && {
    parcel.put(std::move(socket_));
    parcel.put(message_bytes_);
    parcel.put(capacity_);
  }
  [[nodiscard]] MessageSocketSender clone() const {
    return {socket_.duplicate(), message_bytes_, capacity_};
  }
  [[nodiscard]] Capacity capacity() const { return capacity_; }

  // One send(2) a message, unless it has to wait with a deadline.
  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), message_bytes_);
    const int flags = MSG_NOSIGNAL | (deadline.is_never() ? 0 : MSG_DONTWAIT);
    for (;;) {
      const auto sent = retry_interrupted(
          [&] { return ::send(socket_.get(), message.data(), message.size(), flags); });
      if (sent >= 0) return Outcome::done;
      if (receivers_gone(errno)) return Outcome::closed;
      if (errno != EAGAIN) throw_errno("send");
      if (!poll(socket_.get(), POLLOUT, deadline)) return Outcome::timed_out;
    }
  }

  // For sockets that do not say themselves that they were closed. Without waiting: a receiver can
  // only count on it if there was room.
  void send_end_mark() noexcept { ::send(socket_.get(), "", 0, MSG_NOSIGNAL | MSG_DONTWAIT); }

 private:
  // A seqpacket socket says EPIPE, or ECONNRESET when there was something left to read; a datagram
  // socket says ECONNREFUSED once, and is then not connected any more.
  static bool receivers_gone(int error) {
    return error == EPIPE || error == ECONNRESET || error == ECONNREFUSED || error == ENOTCONN;
  }

  Fd socket_;
  std::size_t message_bytes_;
  Capacity capacity_;
};

class MessageSocketReceiver {
 public:
  MessageSocketReceiver(Fd socket, std::size_t message_bytes)
      : socket_(std::move(socket)), held_(message_bytes) {}
  explicit MessageSocketReceiver(Parcel& parcel)
      : socket_(parcel.take_fd()), held_(parcel.take<std::size_t>()) {}

  void pack(Parcel& parcel) && {
    held_.require_empty();
    parcel.put(std::move(socket_));
    parcel.put(held_.message_bytes());
  }
  [[nodiscard]] MessageSocketReceiver clone() const {
    return {socket_.duplicate(), held_.message_bytes()};
  }
  [[nodiscard]] int descriptor() const { return socket_.get(); }

  // One recvmsg(2) a message, unless it has to wait with a deadline.
  Received receive(Buffer buffer, Deadline deadline) {
    if (held_.waits()) return held_.deliver(buffer);
    const int flags = deadline.is_never() ? 0 : MSG_DONTWAIT;
    // What does not fit the buffer goes on into ours: nothing is cut off.
    std::array<iovec, 2> parts{
        iovec{.iov_base = buffer.data(), .iov_len = buffer.size()},
        iovec{.iov_base = held_.room().data(), .iov_len = held_.room().size()}};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = buffer.size() < held_.room().size() ? 2 : 1;
    for (;;) {
      const auto got = retry_interrupted([&] { return ::recvmsg(socket_.get(), &header, flags); });
      if (got > 0) return take(buffer, static_cast<std::size_t>(got));
      if (got == 0) return {Outcome::closed};
      if (errno == ECONNRESET) continue;  // comes before the data (measured), and only once
      if (errno != EAGAIN) throw_errno("recvmsg");
      // Not asked for `now`: a socket that was shut down would be ready for ever.
      if (deadline.is_now() || !poll(socket_.get(), POLLIN, deadline)) return {Outcome::timed_out};
    }
  }

  // For every copy of this socket: a receive without a deadline gets what is there and then the
  // end, and those that wait are woken.
  void shut_down() { ::shutdown(socket_.get(), SHUT_RD); }

 private:
  Received take(Buffer buffer, std::size_t size) {
    if (size <= buffer.size()) return {Outcome::done, size};
    const Buffer room = held_.room();
    std::memmove(room.data() + buffer.size(), room.data(), size - buffer.size());
    std::memcpy(room.data(), buffer.data(), buffer.size());
    held_.hold(size);
    return held_.deliver(buffer);  // throws: too small
  }

  Fd socket_;
  HeldMessage held_;
};

}  // namespace ipc
