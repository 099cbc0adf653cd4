// tcp(7) over 127.0.0.1: a byte stream by way of the network stack, framed.
//
// Every user of the machine may connect to a port of it. So the two ends know each other by a
// token, random and new for each channel, which either shows to the other; who connects without it
// is dropped, and the port is closed before anything is sent.
//
// What a sender left behind in a full channel is the kernel's to deliver; it gives up when the
// receiver has not read for minutes (tcp_orphan_retries in ip-sysctl.rst).
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/framing.hpp"
#include "ipc/socket_buffer.hpp"

namespace ipc {

struct Tcp {
  static constexpr std::string_view name = "tcp";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .death_notice = "end of file, ECONNRESET",
  };

  using Sender = FramedSender;
  using Receiver = FramedReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    // Half of the room at each end. In less than a segment of the loopback device the two would
    // wait for each other's timers.
    constexpr std::size_t buffer_bytes_min = std::size_t{64} << 10;
    const std::size_t bytes = std::max(options.capacity.bytes / 2, buffer_bytes_min);
    auto [sender, receiver] = meet(listen(bytes), bytes);
    const std::size_t room =
        buffer_bytes(sender, SocketBuffer::send) + buffer_bytes(receiver, SocketBuffer::receive);
    constexpr Framing framing(0);
    return {Sender(std::move(sender), framing, options.message_bytes, {.bytes = room}),
            Receiver(std::move(receiver), framing, options.message_bytes)};
  }

  struct Ends {
    Fd sender;
    Fd receiver;
  };

  // A port of 127.0.0.1 that the kernel chose. The receive buffer is that of who is accepted: it
  // must be known before a connection is there (tcp(7)).
  static Fd listen(std::size_t receive_buffer_bytes) {
    Fd listener = socket();
    resize(listener, SocketBuffer::receive, receive_buffer_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check("bind(127.0.0.1)", [&] {
      return ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
    check("listen", [&] { return ::listen(listener.get(), 1); });
    return listener;
  }

  // Connects to the listener and accepts this connection, whoever else comes. Throws
  // std::system_error (ETIMEDOUT) when strangers keep it from that for 10 seconds.
  static Ends meet(Fd listener, std::size_t send_buffer_bytes) {
    const auto patience = Deadline::in(std::chrono::seconds(10));
    Fd sender = socket();
    resize(sender, SocketBuffer::send, send_buffer_bytes);
    set(sender, IPPROTO_TCP, TCP_NODELAY, 1);
    connect(sender, listener);
    const auto [greeting, answer] = random_tokens();
    for (bool greeted = false;;) {
      std::array fds{pollfd{.fd = listener.get(), .events = POLLIN, .revents = 0},
                     pollfd{.fd = greeted ? -1 : sender.get(), .events = POLLOUT, .revents = 0}};
      if (!poll(fds, patience)) throw_errno("tcp: no connection to 127.0.0.1", ETIMEDOUT);
      // Whoever is accepted now and is ours has greeted.
      if (fds[1].revents != 0) greeted = say(sender, greeting);
      if (fds[0].revents == 0) continue;
      Fd receiver(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!receiver.valid()) {
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) continue;  // has left again
        throw_errno("accept4");
      }
      if (!hears(receiver, greeting)) continue;
      say(receiver, answer);
      if (!hears(sender, answer)) throw_errno("tcp: somebody else accepted", ECONNREFUSED);
      check("fcntl(F_SETFL)", [&] { return ::fcntl(sender.get(), F_SETFL, 0); });
      // The receiver closes with a reset: its sender learns it at once, and no port stays in
      // TIME_WAIT.
      set(receiver, SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0});
      return {.sender = std::move(sender), .receiver = std::move(receiver)};
    }
  }

 private:
  using Token = std::array<std::byte, 16>;

  static Fd socket() {
    return Fd(check(
        "socket", [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }));
  }

  template <class Value>
  static void set(const Fd& socket, int level, int option, const Value& value) {
    check("setsockopt",
          [&] { return ::setsockopt(socket.get(), level, option, &value, sizeof value); });
  }

  // Begins to.
  static void connect(const Fd& socket, const Fd& listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* const target = reinterpret_cast<sockaddr*>(&address);
    check("getsockname", [&] { return ::getsockname(listener.get(), target, &size); });
    const int done = retry_interrupted([&] { return ::connect(socket.get(), target, size); });
    if (done == -1 && errno != EINPROGRESS) throw_errno("connect(127.0.0.1)");
  }

  static std::pair<Token, Token> random_tokens() {
    std::pair<Token, Token> tokens;
    for (Token* token : {&tokens.first, &tokens.second}) {
      check("getrandom", [&] { return ::getrandom(token->data(), token->size(), 0); });
    }
    return tokens;
  }

  // An empty send buffer takes all of it.
  static bool say(const Fd& socket, const Token& token) {
    check("send", [&] { return ::send(socket.get(), token.data(), token.size(), MSG_NOSIGNAL); });
    return true;
  }

  // Whether that is what the peer says, soon enough. Takes as long for a wrong one as for the
  // right.
  static bool hears(const Fd& socket, const Token& expected) {
    const auto patience = Deadline::in(std::chrono::seconds(1));
    Token heard{};
    for (std::size_t have = 0; have < heard.size();) {
      const auto got = retry_interrupted([&] {
        return ::recv(socket.get(), heard.data() + have, heard.size() - have, MSG_DONTWAIT);
      });
      if (got == 0 || (got == -1 && errno != EAGAIN)) return false;
      if (got > 0) have += static_cast<std::size_t>(got);
      if (got == -1 && !poll(socket.get(), POLLIN, patience)) return false;
    }
    std::byte difference{0};
    for (std::size_t i = 0; i < heard.size(); ++i) difference |= heard[i] ^ expected[i];
    return difference == std::byte{0};
  }
};

static_assert(Channel<Tcp>);

}  // namespace ipc
