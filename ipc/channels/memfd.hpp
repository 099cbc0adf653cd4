// memfd_create(2): every message is memory of its own, which is sealed and passed over a Unix
// socket (unix(7), SCM_RIGHTS). For large messages: what crosses is a descriptor.
//
// - send() writes the message into the memory and receive() reads it from there: a copy each. With
//   loan() and borrow() it is mapped on both sides, and there is no copy. F_SEAL_WRITE wants no
//   writable mapping left, so commit() unmaps before it seals.
// - A receiver refuses memory that is not sealed: a peer could change it after it was looked at, or
//   shrink it and turn an access into SIGBUS.
// - The memory belongs to whoever holds the descriptor, the socket included, and goes with the last
//   one. As many messages are under way as the socket takes: capacity() counts them, and never more
//   than that many of the longest are allocated beside those that the ends have in hand.
#pragma once

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/mapping.hpp"
#include "ipc/message_size.hpp"
#include "ipc/pages.hpp"
#include "ipc/parcel.hpp"
#include "ipc/passed_descriptors.hpp"
#include "ipc/refinements.hpp"
#include "ipc/socket_buffer.hpp"
#include "ipc/socket_pair.hpp"

namespace ipc {

class Memfd {
  static constexpr int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  // What goes through the socket: a descriptor needs a byte to travel with.
  static constexpr std::array<std::byte, 1> letter{};

 public:
  static constexpr std::string_view name = "memfd";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .receivers = Arity::many,
      .death_notice = "end of file, EPIPE",
  };

  // One, because a loan has its place in the socket before it is sent.
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
    [[nodiscard]] Capacity capacity() const { return capacity_; }

    Outcome send(Bytes message, Deadline deadline) {
      check_message_size(message.size(), message_bytes_);
      take_back_loan();
      return pass(written(message), deadline);
    }

    Loan loan(std::size_t bytes, Deadline deadline) {
      check_message_size(bytes, message_bytes_);
      take_back_loan();
      while (!has_room(socket_)) {
        if (!poll(socket_.get(), POLLOUT, deadline)) return {Outcome::timed_out, {}};
      }
      memory_ = create(bytes);
      reserve(memory_, bytes);
      room_ = Pages::of_file(memory_, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE);
      return {Outcome::done, {room_.data(), room_.size()}};
    }

    Outcome commit() {
      room_.reset();
      return pass(std::exchange(memory_, Fd()), Deadline::now());
    }

   private:
    friend Memfd;
    Sender(Fd socket, std::size_t message_bytes, Capacity capacity)
        : socket_(std::move(socket)), message_bytes_(message_bytes), capacity_(capacity) {}

    void take_back_loan() {
      room_.reset();
      memory_.reset();
    }

    Outcome pass(Fd memory, Deadline deadline) {
      check("fcntl(F_ADD_SEALS)", [&] { return ::fcntl(memory.get(), F_ADD_SEALS, seals); });
      const int flags = deadline.is_never() ? 0 : MSG_DONTWAIT;
      for (;;) {
        if (send_with_descriptors(socket_, letter, {&memory, 1}, flags) >= 0) return Outcome::done;
        if (errno == EPIPE || errno == ECONNRESET) return Outcome::closed;
        if (errno == ETOOMANYREFS) {
          throw_errno(
              "sendmsg(SCM_RIGHTS) with more descriptors under way than RLIMIT_NOFILE; "
              "receive some, or raise it with `ulimit -n`");
        }
        if (errno != EAGAIN) throw_errno("sendmsg(SCM_RIGHTS)");
        if (!poll(socket_.get(), POLLOUT, deadline)) return Outcome::timed_out;
      }
    }

    Fd socket_;
    std::size_t message_bytes_;
    Capacity capacity_;
    Fd memory_;  // of the loan
    Pages room_;
  };

  class Receiver {
   public:
    explicit Receiver(Parcel& parcel)
        : socket_(parcel.take_fd()), message_bytes_(parcel.take<std::size_t>()) {}
    // Throws std::logic_error when a message waits that was too long for its buffer, or is
    // borrowed.
    void pack(Parcel& parcel) && {
      if (memory_.valid()) {
        throw std::logic_error("a receiver with an undelivered message cannot be packed");
      }
      parcel.put(std::move(socket_));
      parcel.put(message_bytes_);
    }
    [[nodiscard]] Receiver clone() const { return {socket_.duplicate(), message_bytes_}; }

    Received receive(Buffer buffer, Deadline deadline) {
      if (const Outcome taken = take(deadline); taken != Outcome::done) return {taken};
      check_buffer_size(bytes_, buffer.size());
      const std::size_t bytes = bytes_;
      read_all(memory_, buffer.first(bytes));
      release();
      return {Outcome::done, bytes};
    }

    Borrowed borrow(Deadline deadline) {
      if (const Outcome taken = take(deadline); taken != Outcome::done) return {taken, {}};
      // MAP_PRIVATE: before Linux 6.7 sealed memory cannot be mapped as shared.
      if (!view_.mapped()) view_ = Pages::of_file(memory_, bytes_, PROT_READ, MAP_PRIVATE);
      return {Outcome::done, {view_.data(), view_.size()}};
    }

    void release() {
      view_.reset();
      memory_.reset();
    }

   private:
    friend Memfd;
    Receiver(Fd socket, std::size_t message_bytes)
        : socket_(std::move(socket)), message_bytes_(message_bytes) {}

    // Done when there is a message in hand.
    Outcome take(Deadline deadline) {
      const int flags = deadline.is_never() ? 0 : MSG_DONTWAIT;
      while (!memory_.valid()) {
        std::array<std::byte, letter.size()> room{};
        Fd memory;
        const auto got =
            receive_with_descriptors(socket_, room, flags, [&](Fd fd) { memory = std::move(fd); });
        if (got.bytes > 0) {
          accept(std::move(memory), got.cut);
        } else if (got.bytes == 0) {
          return Outcome::closed;
        } else if (errno == ECONNRESET) {
          continue;  // comes before the data, and only once
        } else if (errno != EAGAIN) {
          throw_errno("recvmsg(SCM_RIGHTS)");
        } else if (!poll(socket_.get(), POLLIN, deadline)) {
          return Outcome::timed_out;
        }
      }
      return Outcome::done;
    }

    void accept(Fd memory, bool cut) {
      if (cut) throw_errno("a memfd message was lost", EMFILE);
      if (!memory.valid()) throw std::runtime_error("memfd: a message refused: it has no memory");
      const int has = ::fcntl(memory.get(), F_GET_SEALS);
      if (has == -1 || (has & seals) != seals) {
        throw std::runtime_error(
            "memfd: a message refused: its memory is not sealed against writing, shrinking, "
            "growing "
            "and further seals; a peer could change it");
      }
      struct stat status {};
      check("fstat", [&] { return ::fstat(memory.get(), &status); });
      const auto bytes = static_cast<std::size_t>(status.st_size);
      if (bytes == 0 || bytes > message_bytes_) {
        throw std::runtime_error("memfd: a message refused: it has " + std::to_string(bytes) +
                                 " bytes, 1 to " + std::to_string(message_bytes_) +
                                 " are possible");
      }
      memory_ = std::move(memory);
      bytes_ = bytes;
    }

    Fd socket_;
    std::size_t message_bytes_;
    Fd memory_;  // of the message in hand
    std::size_t bytes_ = 0;
    Pages view_;
  };

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto pair = SocketPair::open(SOCK_SEQPACKET, 1);
    const std::size_t places = limit(pair, places_for(options));
    return {Sender(std::move(pair.sender), options.message_bytes,
                   {.bytes = places * options.message_bytes, .messages = places}),
            Receiver(std::move(pair.receiver), options.message_bytes)};
  }

 private:
  static Fd create(std::size_t bytes) {
    check_available(bytes);
    return Fd(check("memfd_create",
                    [] { return ::memfd_create("ipc-compare", MFD_CLOEXEC | MFD_ALLOW_SEALING); }));
  }
  // So that full memory is an error here and not a signal later.
  static void reserve(const Fd& memory, std::size_t bytes) {
    const int error = ::posix_fallocate(memory.get(), 0, static_cast<off_t>(bytes));
    if (error != 0) throw_errno("posix_fallocate(" + std::to_string(bytes) + " bytes)", error);
  }
  static Fd written(Bytes message) {
    Fd memory = create(message.size());
    while (!message.empty()) {
      message = message.subspan(static_cast<std::size_t>(
          check("write", [&] { return ::write(memory.get(), message.data(), message.size()); })));
    }
    return memory;
  }
  // Requires that it has as many bytes.
  static void read_all(const Fd& memory, Buffer room) {
    for (off_t at = 0; !room.empty();) {
      const auto got =
          check("pread", [&] { return ::pread(memory.get(), room.data(), room.size(), at); });
      at += got;
      room = room.subspan(static_cast<std::size_t>(got));
    }
  }

  // What is under way, and what may be, as the kernel counts. A message is sent while there is less
  // than the limit.
  static std::size_t queued(const Fd& socket) {
    int bytes = 0;
    check("ioctl(SIOCOUTQ)", [&] { return ::ioctl(socket.get(), SIOCOUTQ, &bytes); });
    return static_cast<std::size_t>(bytes);
  }
  static bool has_room(const Fd& socket) {
    return queued(socket) < buffer_bytes(socket, SocketBuffer::send);
  }

  // Gives the socket room for so many messages, as nearly as it can; returns how many. What one
  // occupies there is the kernel's affair, and measured.
  static std::size_t limit(const SocketPair& pair, std::size_t places) {
    std::array<std::byte, letter.size()> room{};
    check("send", [&] { return ::send(pair.sender.get(), letter.data(), letter.size(), 0); });
    const std::size_t each = queued(pair.sender);
    check("recv", [&] { return ::recv(pair.receiver.get(), room.data(), room.size(), 0); });
    resize(pair.sender, SocketBuffer::send, places * each / 2);  // the kernel doubles it
    return (buffer_bytes(pair.sender, SocketBuffer::send) + each - 1) / each;
  }
};

static_assert(Channel<Memfd> && LoanChannel<Memfd>);

}  // namespace ipc
