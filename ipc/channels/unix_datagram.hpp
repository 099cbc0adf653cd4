// unix(7), SOCK_DGRAM: connected sockets that know messages and no stream.
//
// The kernel tells senders that the receivers are gone (ECONNREFUSED, once). It tells receivers
// nothing, so the last sender leaves a message of no bytes, the end mark. Where there is no room
// for it, a flag in shared memory does its work: the messages that fill the room bring the
// receivers to it. Whoever learns of the end shuts the socket down for the other receivers.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "ipc/channel.hpp"
#include "ipc/flag.hpp"
#include "ipc/layout.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/mapping.hpp"
#include "ipc/message_socket.hpp"
#include "ipc/socket_pair.hpp"

namespace ipc {

class UnixDatagram {
  struct Shared {
    static constexpr std::string_view kind = "unix_datagram";

    Layout layout{kind};
    Flag senders_gone;
  };

  // What an end holds beside its socket.
  class Presence {
   public:
    Presence(Lifeline lifeline, std::shared_ptr<const Mapping> memory)
        : lifeline_(std::move(lifeline)), memory_(std::move(memory)) {}
    explicit Presence(Parcel& parcel)
        : lifeline_(parcel), memory_(std::make_shared<const Mapping>(parcel)) {}
    void pack(Parcel& parcel) && {
      std::move(lifeline_).pack(parcel);
      memory_->pack(parcel);
    }
    [[nodiscard]] Presence clone() const { return {lifeline_.clone(), memory_}; }

    [[nodiscard]] Lifeline& lifeline() { return lifeline_; }
    [[nodiscard]] Flag& senders_gone() { return shared_->senders_gone; }

   private:
    Lifeline lifeline_;
    std::shared_ptr<const Mapping> memory_;  // the ends of a process use one
    Shared* shared_ = &attach_header<Shared>(memory_->bytes());
  };

 public:
  static constexpr std::string_view name = "unix_datagram";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{128} << 10,  // fits the send buffer of a default system
      .senders = Arity::many,
      .receivers = Arity::many,
  };

  class Sender {
   public:
    explicit Sender(Parcel& parcel) : socket_(parcel), presence_(parcel) {}
    void pack(Parcel& parcel) && {
      std::move(socket_).pack(parcel);
      std::move(presence_).pack(parcel);
    }
    [[nodiscard]] Sender clone() const { return {socket_.clone(), presence_.clone()}; }

    Sender(Sender&&) noexcept = default;
    Sender& operator=(Sender&& other) noexcept { return replace(*this, std::move(other)); }
    ~Sender() {
      if (!presence_.lifeline().attached() || !presence_.lifeline().leave()) return;
      // The flag first: who takes the message that left no room for the mark sees it.
      presence_.senders_gone().raise();  // partner: receive
      socket_.send_end_mark();
    }

    [[nodiscard]] Capacity capacity() const { return socket_.capacity(); }
    Outcome send(Bytes message, Deadline deadline) { return socket_.send(message, deadline); }

   private:
    friend UnixDatagram;
    Sender(MessageSocketSender socket, Presence presence)
        : socket_(std::move(socket)), presence_(std::move(presence)) {}

    MessageSocketSender socket_;
    Presence presence_;
  };

  class Receiver {
   public:
    explicit Receiver(Parcel& parcel) : socket_(parcel), presence_(parcel) {}
    void pack(Parcel& parcel) && {
      std::move(socket_).pack(parcel);
      std::move(presence_).pack(parcel);
    }
    [[nodiscard]] Receiver clone() const { return {socket_.clone(), presence_.clone()}; }

    Received receive(Buffer buffer, Deadline deadline) {
      const Received got =
          deadline.is_never() ? socket_.receive(buffer, deadline) : look(buffer, deadline);
      const bool ended = presence_.senders_gone().raised();  // partner: ~Sender
      if (ended || got.outcome == Outcome::closed) socket_.shut_down();
      return got;
    }

   private:
    friend UnixDatagram;
    Receiver(MessageSocketReceiver socket, Presence presence)
        : socket_(std::move(socket)), presence_(std::move(presence)) {}

    // A socket that was shut down is always ready and says nothing to a look without waiting; the
    // senders are gone then.
    Received look(Buffer buffer, Deadline deadline) {
      for (bool last = false;;) {
        const Received got = socket_.receive(buffer, Deadline::now());
        if (got.outcome != Outcome::timed_out) return got;
        if (last) return {Outcome::closed};
        std::array fds{pollfd{.fd = socket_.descriptor(), .events = POLLIN, .revents = 0},
                       pollfd{.fd = presence_.lifeline().peers_fd(), .events = 0, .revents = 0}};
        if (!poll(fds, deadline)) return got;
        // What they sent before they went is there by now.
        last = fds[1].revents != 0 || presence_.senders_gone().raised();
      }
    }

    MessageSocketReceiver socket_;
    Presence presence_;
  };

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto pair =
        SocketPair::open(SOCK_DGRAM, std::max(options.capacity.bytes, options.message_bytes));
    auto lifelines = Lifeline::open();
    const auto memory = std::make_shared<const Mapping>(Mapping::create(sizeof(Shared)));
    new (memory->data()) Shared;
    return {
        Sender({std::move(pair.sender), options.message_bytes, {.bytes = pair.send_buffer_bytes}},
               {std::move(lifelines.first), memory}),
        Receiver({std::move(pair.receiver), options.message_bytes},
                 {std::move(lifelines.second), memory})};
  }
};

static_assert(Channel<UnixDatagram>);

}  // namespace ipc
