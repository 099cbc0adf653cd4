// Two sockets of the loopback that are connected to each other (udp(7)), and datagrams between them
// that carry a kind and a number.
#pragma once

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <random>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/parcel.hpp"
#include "ipc/socket_buffer.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// One side. Other users of the machine may send to its port: what does not come from the connected
// address the kernel drops, and what lacks the random token of the link is ignored here.
class UdpLink {
 public:
  enum class Kind : std::uint32_t {
    message,       // of this number, counted from 0
    question,      // "do you have `number` messages?"
    acknowledged,  // "I have `number` messages in a row"
    missing,       // the same, "but not what came after them"
  };
  struct Header {
    std::uint64_t token;
    std::uint64_t number;
    Kind kind;
    std::uint32_t reserved = 0;
  };
  struct Arrival {
    Outcome outcome;  // done, timed_out: nothing is there, closed: a port was found closed
    Header header{};
    std::size_t bytes = 0;  // of the payload
  };

  // 64 KiB less the headers of IP, UDP, and ours.
  static constexpr std::size_t payload_bytes_max = 65507 - sizeof(Header);

  static std::pair<UdpLink, UdpLink> open() {
    std::random_device random;
    const std::uint64_t token = std::uint64_t{random()} << 32 | random();
    auto lifelines = Lifeline::open();
    UdpLink sender(token, std::move(lifelines.first));
    UdpLink receiver(token, std::move(lifelines.second));
    sender.connect(receiver);
    receiver.connect(sender);
    return {std::move(sender), std::move(receiver)};
  }

  explicit UdpLink(Parcel& parcel)
      : socket_(parcel.take_fd()), token_(parcel.take<std::uint64_t>()), lifeline_(parcel) {}
  void pack(Parcel& parcel) && {
    parcel.put(std::move(socket_));
    parcel.put(token_);
    std::move(lifeline_).pack(parcel);
  }

  // Makes room for so many payloads of this size to be under way to `receiver`, as nearly as it
  // can; returns how many surely fit. Requires that nothing is under way. What one occupies is the
  // kernel's affair, and measured with one that is sent for it. Half of the buffer is left free:
  // the kernel gives back late what was read.
  std::size_t make_room(UdpLink& receiver, Buffer payload, std::size_t count) {
    transmit(Kind::question, 0, payload);
    if (!receiver.wait(Deadline::in(std::chrono::seconds(1)))) {
      throw_errno("a datagram to 127.0.0.1 does not arrive; is there a firewall?", ETIMEDOUT);
    }
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t size = sizeof memory;
    check("getsockopt(SO_MEMINFO)", [&] {
      return ::getsockopt(receiver.socket_.get(), SOL_SOCKET, SO_MEMINFO, memory.data(), &size);
    });
    receiver.receive(payload, false);
    const std::size_t each = memory[SK_MEMINFO_RMEM_ALLOC];
    resize(receiver.socket_, SocketBuffer::receive, count * each);  // the kernel doubles it
    const std::size_t got = buffer_bytes(receiver.socket_, SocketBuffer::receive);
    return std::max(got / 2 / each, std::size_t{1});
  }

  // False when the other side has closed its port.
  bool transmit(Kind kind, std::uint64_t number, Bytes payload = {}) {
    Header header{.token = token_, .number = number, .kind = kind};
    std::array<iovec, 2> parts{
        iovec{.iov_base = &header, .iov_len = sizeof header},
        iovec{.iov_base = const_cast<std::byte*>(payload.data()), .iov_len = payload.size()}};
    msghdr datagram{};
    datagram.msg_iov = parts.data();
    datagram.msg_iovlen = parts.size();
    const auto sent =
        retry_interrupted([&] { return ::sendmsg(socket_.get(), &datagram, MSG_NOSIGNAL); });
    if (sent == -1 && errno != ECONNREFUSED) throw_errno("sendmsg");
    return sent != -1;
  }

  // The next datagram of this link, in `room`.
  Arrival receive(Buffer room, bool waits) {
    for (;;) {
      Arrival arrival{.outcome = Outcome::done};
      std::array<iovec, 2> parts{
          iovec{.iov_base = &arrival.header, .iov_len = sizeof arrival.header},
          iovec{.iov_base = room.data(), .iov_len = room.size()}};
      msghdr datagram{};
      datagram.msg_iov = parts.data();
      datagram.msg_iovlen = parts.size();
      const auto got = retry_interrupted(
          [&] { return ::recvmsg(socket_.get(), &datagram, waits ? 0 : MSG_DONTWAIT); });
      if (got == -1 && errno == EAGAIN) return {.outcome = Outcome::timed_out};
      if (got == -1 && errno == ECONNREFUSED) return {.outcome = Outcome::closed};
      if (got == -1) throw_errno("recvmsg");
      if (static_cast<std::size_t>(got) < sizeof arrival.header) continue;
      if (arrival.header.token != token_ || (datagram.msg_flags & MSG_TRUNC) != 0) continue;
      arrival.bytes = static_cast<std::size_t>(got) - sizeof arrival.header;
      return arrival;
    }
  }

  // Waits for a datagram or for the end of the other side; false at the deadline.
  bool wait(Deadline deadline) const {
    std::array fds{pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                   pollfd{.fd = lifeline_.peers_fd(), .events = 0, .revents = 0}};
    return poll(fds, deadline);
  }

  [[nodiscard]] Lifeline& lifeline() { return lifeline_; }

 private:
  UdpLink(std::uint64_t token, Lifeline lifeline)
      : socket_(check("socket", [] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); })),
        token_(token),
        lifeline_(std::move(lifeline)) {
    sockaddr_in any_port{};
    any_port.sin_family = AF_INET;
    any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check("bind", [&] {
      return ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port);
    });
  }

  void connect(const UdpLink& other) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    check("getsockname", [&] {
      return ::getsockname(other.socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    });
    check("connect", [&] {
      return ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size);
    });
  }

  Fd socket_;
  std::uint64_t token_;
  Lifeline lifeline_;
};

}  // namespace ipc
