// The system calls of each channel of the kernel in a bare loop, without framing and checks: what a
// channel costs beyond its loop is the channel's own. Rows of `floor`, and measured again beside
// the round trips.
#pragma once

#include <mqueue.h>
#include <netinet/in.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "bench/axes.hpp"
#include "bench/kernel_copy_loops.hpp"
#include "bench/peer.hpp"
#include "bench/row.hpp"
#include "ipc/channels.hpp"
#include "ipc/fd.hpp"
#include "ipc/framed_pipe.hpp"

namespace bench {

// What each side sends.
inline constexpr std::size_t loop_bytes = 64;

// ---- streams: read and write ----

struct StreamEnds {
  ipc::Fd in;
  ipc::Fd out;
};

// Reads one message; false at the end of the stream.
inline bool read_all(const ipc::Fd& fd, std::array<std::byte, loop_bytes>& room) {
  std::size_t have = 0;
  while (have < room.size()) {
    const auto got = ipc::check(
        "read", [&] { return ::read(fd.get(), room.data() + have, room.size() - have); });
    if (got == 0) return false;
    have += static_cast<std::size_t>(got);
  }
  return true;
}

// `open` makes one direction: what is written to .out is read from .in.
inline Measured stream_loop(const Suite& suite, PeerKind kind, Cpus cpus,
                            const std::function<StreamEnds()>& open) {
  StreamEnds there = open();
  StreamEnds back = open();
  std::optional mine(StreamEnds{.in = std::move(back.in), .out = std::move(there.out)});
  std::optional theirs(StreamEnds{.in = std::move(there.in), .out = std::move(back.out)});
  const Pinned pinned(suite.placement(), cpus);
  Peer peer = start_peer(kind, suite.placement(), cpus, mine, theirs, [](StreamEnds& ends) {
    std::array<std::byte, loop_bytes> message{};
    std::uint64_t count = 0;
    for (; read_all(ends.in, message); ++count) {
      ipc::check("write", [&] { return ::write(ends.out.get(), message.data(), message.size()); });
    }
    return count;
  });
  std::array<std::byte, loop_bytes> message{};
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      ipc::check("write", [&] { return ::write(mine->out.get(), message.data(), message.size()); });
      if (!read_all(mine->in, message)) throw std::runtime_error("the stream ended");
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

inline StreamEnds ends_of(ipc::PipeEnds pipe) {
  return {.in = std::move(pipe.reader), .out = std::move(pipe.writer)};
}

inline StreamEnds open_pipe() {
  return ends_of(ipc::open_pipe());
}

inline StreamEnds open_fifo() {
  return ends_of(ipc::Fifo::create(std::filesystem::temp_directory_path() / ipc::unique_name()));
}

inline StreamEnds open_socket_pair(int type) {
  std::array<int, 2> fds{};
  ipc::check("socketpair",
             [&] { return ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()); });
  return {.in = ipc::Fd(fds[0]), .out = ipc::Fd(fds[1])};
}

inline StreamEnds open_tcp() {
  constexpr std::size_t buffer_bytes = std::size_t{128} << 10;
  auto ends = ipc::Tcp::meet(ipc::Tcp::listen(buffer_bytes), buffer_bytes);
  return {.in = std::move(ends.receiver), .out = std::move(ends.sender)};
}

// ---- what keeps the borders of messages: an empty one is the end ----

// One direction. `Message` is what the calls take; send(message, bytes) sends the first bytes of
// it, receive(message) says how many came.
template <class Messages>
Measured message_loop(const Suite& suite, PeerKind kind, Cpus cpus,
                      const std::function<Messages()>& open) {
  using Message = typename Messages::Message;
  const Messages there = open();
  const Messages back = open();
  const Pinned pinned(suite.placement(), cpus);
  Message message{};
  Peer peer(
      kind, suite.placement(), cpus,
      [&]() -> std::uint64_t {
        Message room{};
        std::uint64_t count = 0;
        for (; there.receive(room) > 0; ++count) back.send(room, loop_bytes);
        return count;
      },
      [&] { there.send(Message{}, 0); });
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      there.send(message, loop_bytes);
      back.receive(message);
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

struct SocketMessages {
  using Message = std::array<std::byte, loop_bytes>;

  StreamEnds ends;

  void send(const Message& message, std::size_t bytes) const {
    ipc::check("send", [&] { return ::send(ends.out.get(), message.data(), bytes, MSG_NOSIGNAL); });
  }
  ssize_t receive(Message& room) const {
    return ipc::check("recv", [&] { return ::recv(ends.in.get(), room.data(), room.size(), 0); });
  }
};

// Each socket hears the other one only.
inline SocketMessages open_udp() {
  const auto open = [] {
    ipc::Fd socket(
        ipc::check("socket", [] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
    sockaddr_in any_port{};
    any_port.sin_family = AF_INET;
    any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ipc::check("bind(127.0.0.1)", [&] {
      return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port);
    });
    return socket;
  };
  const auto connect = [](const ipc::Fd& from, const ipc::Fd& to) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* const target = reinterpret_cast<sockaddr*>(&address);
    ipc::check("getsockname", [&] { return ::getsockname(to.get(), target, &size); });
    ipc::check("connect", [&] { return ::connect(from.get(), target, size); });
  };
  StreamEnds ends{.in = open(), .out = open()};
  connect(ends.in, ends.out);
  connect(ends.out, ends.in);
  return {std::move(ends)};
}

// A queue descriptor is a file descriptor on Linux (mq_overview(7)).
struct PosixMessages {
  using Message = std::array<char, loop_bytes>;

  ipc::Fd queue;

  void send(const Message& message, std::size_t bytes) const {
    ipc::check("mq_send", [&] { return ::mq_send(queue.get(), message.data(), bytes, 0); });
  }
  ssize_t receive(Message& room) const {
    return ipc::check("mq_receive",
                      [&] { return ::mq_receive(queue.get(), room.data(), room.size(), nullptr); });
  }
};

inline PosixMessages open_posix_queue() {
  mq_attr attributes{};
  attributes.mq_maxmsg = 8;
  attributes.mq_msgsize = loop_bytes;
  return {ipc::PosixQueue::create(attributes)};
}

struct SysvMessages {
  struct Message {
    long type = 1;
    std::array<char, loop_bytes> text{};
  };

  std::pair<ipc::Lifeline, ipc::Lifeline> users;  // the queue is removed after them
  int id;

  void send(const Message& message, std::size_t bytes) const {
    ipc::check("msgsnd", [&] { return ::msgsnd(id, &message, bytes, 0); });
  }
  ssize_t receive(Message& room) const {
    return ipc::check("msgrcv", [&] { return ::msgrcv(id, &room, loop_bytes, 0, 0); });
  }
};

inline SysvMessages open_sysv_queue() {
  auto users = ipc::Lifeline::open();
  const int id = ipc::SysvQueue::create(users.first);
  return {std::move(users), id};
}

// ---- the list ----

using WithPeer = std::function<Measured(const Suite&, PeerKind, Cpus)>;

// The calls of the channel of this name, `loop_bytes` a message.
struct BareLoop {
  std::string_view channel;
  WithPeer take;
};

// Every channel of the kernel. What short messages do not use, their loop does not have.
inline std::span<const BareLoop> bare_loops() {
  const auto streams = [](auto open) -> WithPeer {
    return [open](const Suite& suite, PeerKind peer, Cpus cpus) {
      return stream_loop(suite, peer, cpus, open);
    };
  };
  const auto messages = [](auto open) -> WithPeer {
    return [open](const Suite& suite, PeerKind peer, Cpus cpus) {
      return message_loop<decltype(open())>(suite, peer, cpus, open);
    };
  };
  const auto sockets = [&](int type) {
    return messages([type] { return SocketMessages{open_socket_pair(type)}; });
  };
  static const std::array loops{
      BareLoop{"pipe", streams(open_pipe)},
      BareLoop{"fifo", streams(open_fifo)},
      BareLoop{"pipe_vmsplice", streams(open_pipe)},
      BareLoop{"unix_stream", streams([] { return open_socket_pair(SOCK_STREAM); })},
      BareLoop{"unix_seqpacket", sockets(SOCK_SEQPACKET)},
      BareLoop{"unix_datagram", sockets(SOCK_DGRAM)},
      BareLoop{"tcp", streams(open_tcp)},
      BareLoop{"udp", messages(open_udp)},
      BareLoop{"posix_queue", messages(open_posix_queue)},
      BareLoop{"sysv_queue", messages(open_sysv_queue)},
      BareLoop{"cma", cma_loop<loop_bytes>},
      BareLoop{"memfd", memfd_loop<loop_bytes>},
  };
  return loops;
}

}  // namespace bench
