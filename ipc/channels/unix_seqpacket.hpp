// unix(7), SOCK_SEQPACKET: sockets that keep the borders of messages themselves.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "ipc/channel.hpp"
#include "ipc/held_message.hpp"
#include "ipc/parcel.hpp"
#include "ipc/socket_pair.hpp"

namespace ipc {

class UnixSeqpacket {
 public:
  static constexpr std::string_view name = "unix_seqpacket";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{128} << 10,  // fits the send buffer of a default system
      .senders = Arity::many,
      .receivers = Arity::many,
      .death_notice = "end of file, EPIPE",
  };

  class Sender {
   public:
    explicit Sender(Parcel& parcel)
        : socket_(parcel.take_fd()),
          message_bytes_(parcel.take<std::size_t>()),
          capacity_(parcel.take<Capacity>()) {}
    void pack(Parcel& parcel) && {
      parcel.put(std::move(socket_));
      parcel.put(message_bytes_);
      parcel.put(capacity_);
    }
    [[nodiscard]] Sender clone() const { return {socket_.duplicate(), message_bytes_, capacity_}; }
    [[nodiscard]] Capacity capacity() const { return capacity_; }

    Outcome send(Bytes message, Deadline deadline) {
      check_message_size(message.size(), message_bytes_);
      const int flags = MSG_NOSIGNAL | (deadline.is_never() ? 0 : MSG_DONTWAIT);
      for (;;) {
        const auto sent = retry_interrupted(
            [&] { return ::send(socket_.get(), message.data(), message.size(), flags); });
        if (sent >= 0) return Outcome::done;
        if (errno == EPIPE || errno == ECONNRESET) return Outcome::closed;
        if (errno != EAGAIN) throw_errno("send");
        if (!poll(socket_.get(), POLLOUT, deadline)) return Outcome::timed_out;
      }
    }

   private:
    friend UnixSeqpacket;
    Sender(Fd socket, std::size_t message_bytes, Capacity capacity)
        : socket_(std::move(socket)), message_bytes_(message_bytes), capacity_(capacity) {}

    Fd socket_;
    std::size_t message_bytes_;
    Capacity capacity_;
  };

  class Receiver {
   public:
    explicit Receiver(Parcel& parcel)
        : socket_(parcel.take_fd()), held_(parcel.take<std::size_t>()) {}
    void pack(Parcel& parcel) && {
      held_.require_empty();
      parcel.put(std::move(socket_));
      parcel.put(held_.message_bytes());
    }
    [[nodiscard]] Receiver clone() const {
      return {socket_.duplicate(), HeldMessage(held_.message_bytes())};
    }

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
        const auto got =
            retry_interrupted([&] { return ::recvmsg(socket_.get(), &header, flags); });
        if (got > 0) return take(buffer, static_cast<std::size_t>(got));
        if (got == 0) return {Outcome::closed};
        if (errno == ECONNRESET) continue;  // comes before the data (measured), and only once
        if (errno != EAGAIN) throw_errno("recvmsg");
        if (!poll(socket_.get(), POLLIN, deadline)) return {Outcome::timed_out};
      }
    }

   private:
    friend UnixSeqpacket;
    Receiver(Fd socket, HeldMessage held) : socket_(std::move(socket)), held_(std::move(held)) {}

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

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto pair =
        SocketPair::open(SOCK_SEQPACKET, std::max(options.capacity.bytes, options.message_bytes));
    return {
        Sender(std::move(pair.sender), options.message_bytes, {.bytes = pair.send_buffer_bytes}),
        Receiver(std::move(pair.receiver), HeldMessage(options.message_bytes))};
  }
};

static_assert(Channel<UnixSeqpacket>);

}  // namespace ipc
