// Messages over a byte stream: the one framing layer of pipes and stream sockets.
//
//   frame:  [length: 4 bytes][payload]             where the kernel takes all of it or nothing
//           [length: 4 bytes][payload][verdict: 1] where it may take a part
//
// A frame that its deadline cuts in half cannot be taken back. The sender owes the rest of it:
// before its next message it pays with what is left of the length, filler, and the verdict
// `abandoned`, and the receiver drops the frame. So a send that timed out has sent nothing, on a
// stream too.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// Both ends of a stream agree on `atomic_bytes`: frames up to this length go out whole or not at
// all. PIPE_BUF for pipes (pipe(7)); 0 for sockets, which promise nothing.
class Framing {
 public:
  using Length = std::uint32_t;
  static constexpr std::size_t header_bytes = sizeof(Length);
  static constexpr std::byte whole{1};
  static constexpr std::byte abandoned{2};

  constexpr explicit Framing(std::size_t atomic_bytes = 0) : atomic_bytes_(atomic_bytes) {}

  [[nodiscard]] constexpr bool has_verdict(std::size_t payload) const {
    return header_bytes + payload > atomic_bytes_;
  }
  [[nodiscard]] constexpr std::size_t frame_bytes(std::size_t payload) const {
    return header_bytes + payload + (has_verdict(payload) ? 1 : 0);
  }

 private:
  std::size_t atomic_bytes_;
};

// A descriptor that is switched between blocking and not, only when the need changes: one system
// call a message stays one. Requires that one process at a time uses the open file.
class StreamFd {
 public:
  explicit StreamFd(Fd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] const Fd& fd() const { return fd_; }
  [[nodiscard]] Fd release() && {
    set_blocking(true);
    return std::move(fd_);
  }

  void set_blocking(bool blocking) {
    if (blocking == blocking_) return;
    const int flags = check("fcntl(F_GETFL)", [&] { return ::fcntl(fd_.get(), F_GETFL); });
    check("fcntl(F_SETFL)", [&] {
      return ::fcntl(fd_.get(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
    });
    blocking_ = blocking;
  }

 private:
  Fd fd_;
  bool blocking_ = true;
};

// How a frame is written that is too long to be put together first: all of it or a part. Returns
// the bytes that went, or -1 and errno as writev(2) does; waits for room only when told to.
template <class W>
concept FrameWriter = std::movable<W> && std::constructible_from<W, const Fd&> &&
    requires(W writer, const Fd& stream, std::span<const iovec> parts, bool waits) {
  { writer.write(stream, parts, waits) } -> std::same_as<ssize_t>;
};

// Whether it waits is up to the descriptor.
struct GatheringWriter {
  explicit GatheringWriter(const Fd&) {}
  static ssize_t write(const Fd& stream, std::span<const iovec> parts, bool) {
    return ::writev(stream.get(), parts.data(), static_cast<int>(parts.size()));
  }
};

template <FrameWriter Writer>
class BasicFramedSender {
 public:
  BasicFramedSender(Fd fd, Framing framing, std::size_t message_bytes, Capacity capacity)
      : stream_(std::move(fd)),
        writer_(stream_.fd()),
        framing_(framing),
        message_bytes_(message_bytes),
        capacity_(capacity) {}
  explicit BasicFramedSender(Parcel& parcel)
      : stream_(parcel.take_fd()),
        writer_(stream_.fd()),
        framing_(parcel.take<Framing>()),
        message_bytes_(parcel.take<std::size_t>()),
        capacity_(parcel.take<Capacity>()),
        owed_(parcel.take<std::size_t>()),
        owed_payload_(parcel.take<Framing::Length>()) {}

  void pack(Parcel& parcel) && {
    parcel.put(std::move(stream_).release());
    parcel.put(framing_);
    parcel.put(message_bytes_);
    parcel.put(capacity_);
    parcel.put(owed_);
    parcel.put(owed_payload_);
  }

  [[nodiscard]] Capacity capacity() const { return capacity_; }

  // In the steady state one write(2) a message.
  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), message_bytes_);
    block_sigpipe();
    stream_.set_blocking(deadline.is_never());
    if (owed_ > 0) {
      if (const Outcome paid = pay(deadline); paid != Outcome::done) return paid;
    }
    const auto length = static_cast<Framing::Length>(message.size());
    const std::size_t frame_bytes = framing_.frame_bytes(message.size());
    std::array<std::byte, 4096> frame;
    if (frame_bytes <= frame.size()) {  // to put it together is cheaper than to gather it
      frame[frame_bytes - 1] = Framing::whole;
      std::memcpy(frame.data(), &length, sizeof length);
      std::memcpy(frame.data() + sizeof length, message.data(), message.size());
      std::array parts{part(frame.data(), frame_bytes)};
      return write_all(parts, length, deadline);
    }
    std::array parts{part(&length, sizeof length), part(message.data(), message.size()),
                     part(&Framing::whole, sizeof Framing::whole)};
    return write_all(parts, length, deadline);
  }

 private:
  static iovec part(const void* data, std::size_t bytes) {
    return {.iov_base = const_cast<void*>(data), .iov_len = bytes};
  }

  // A write to a stream without readers raises SIGPIPE, which would end the program, and write(2)
  // has no flag against it. So the first send of a thread blocks the signal in that thread; a
  // closed channel is then EPIPE alone.
  static void block_sigpipe() {
    thread_local const bool blocked = [] {
      sigset_t pipe_only;
      sigemptyset(&pipe_only);
      sigaddset(&pipe_only, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);
      return true;
    }();
    static_cast<void>(blocked);
  }

  // Writes a frame, all of its parts or, at the deadline, none as far as the receiver can tell.
  Outcome write_all(std::span<iovec> parts, Framing::Length payload, Deadline deadline) {
    const std::size_t frame = framing_.frame_bytes(payload);
    std::size_t left = frame;
    while (left > 0) {
      const auto wrote = retry_interrupted([&] {
        return parts.size() == 1 ? ::write(stream_.fd().get(), parts[0].iov_base, parts[0].iov_len)
                                 : writer_.write(stream_.fd(), parts, deadline.is_never());
      });
      if (wrote >= 0) {
        left -= static_cast<std::size_t>(wrote);
        advance(parts, static_cast<std::size_t>(wrote));
      } else if (errno == EPIPE || errno == ECONNRESET) {
        return Outcome::closed;
      } else if (errno != EAGAIN) {
        throw_errno("write");
      } else if (!poll(stream_.fd().get(), POLLOUT, deadline)) {
        if (left < frame) {
          owed_ = left;
          owed_payload_ = payload;
        }
        return Outcome::timed_out;
      }
    }
    return Outcome::done;
  }

  static void advance(std::span<iovec>& parts, std::size_t bytes) {
    while (bytes > 0) {
      const std::size_t step = std::min(bytes, parts[0].iov_len);
      parts[0].iov_base = static_cast<std::byte*>(parts[0].iov_base) + step;
      parts[0].iov_len -= step;
      bytes -= step;
      if (parts[0].iov_len == 0) parts = parts.subspan(1);
    }
  }

  // Finishes an abandoned frame.
  Outcome pay(Deadline deadline) {
    while (owed_ > 0) {
      const Bytes part = next_owed();
      const auto wrote =
          retry_interrupted([&] { return ::write(stream_.fd().get(), part.data(), part.size()); });
      if (wrote >= 0) {
        owed_ -= static_cast<std::size_t>(wrote);
      } else if (errno == EPIPE || errno == ECONNRESET) {
        return Outcome::closed;
      } else if (errno != EAGAIN) {
        throw_errno("write");
      } else if (!poll(stream_.fd().get(), POLLOUT, deadline)) {
        return Outcome::timed_out;
      }
    }
    return Outcome::done;
  }

  // The rest of its length, if it was cut there, then filler, and the verdict last.
  [[nodiscard]] Bytes next_owed() const {
    static constexpr std::array<std::byte, 4096> filler{};
    const std::size_t written = framing_.frame_bytes(owed_payload_) - owed_;
    if (written < Framing::header_bytes) {
      return std::as_bytes(std::span(&owed_payload_, 1)).subspan(written);
    }
    if (owed_ > 1) return Bytes(filler).first(std::min(owed_ - 1, filler.size()));
    return {&Framing::abandoned, 1};
  }

  StreamFd stream_;
  Writer writer_;
  Framing framing_;
  std::size_t message_bytes_;
  Capacity capacity_;
  std::size_t owed_ = 0;              // bytes of an abandoned frame that are still to be written
  Framing::Length owed_payload_ = 0;  // of that frame
};

using FramedSender = BasicFramedSender<GatheringWriter>;

class FramedReceiver {
 public:
  FramedReceiver(Fd fd, Framing framing, std::size_t message_bytes)
      : stream_(std::move(fd)),
        framing_(framing),
        message_bytes_(message_bytes),
        buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes())) {}
  explicit FramedReceiver(Parcel& parcel)
      : stream_(parcel.take_fd()),
        framing_(parcel.take<Framing>()),
        message_bytes_(parcel.take<std::size_t>()),
        buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes())) {}

  void pack(Parcel& parcel) && {
    if (begin_ != end_) {
      throw std::logic_error("a receiver with undelivered messages cannot be packed");
    }
    parcel.put(std::move(stream_).release());
    parcel.put(framing_);
    parcel.put(message_bytes_);
  }

  [[nodiscard]] int descriptor() const { return stream_.fd().get(); }

  // Reads as much as there is, so that in the steady state a message costs one read(2) or less.
  Received receive(Buffer buffer, Deadline deadline) {
    for (;;) {
      if (const auto payload = whole_frame()) {
        const std::byte* frame = buffer_.get() + begin_;
        const std::size_t bytes = framing_.frame_bytes(*payload);
        if (framing_.has_verdict(*payload) && frame[bytes - 1] != Framing::whole) {
          begin_ += bytes;
          continue;
        }
        check_buffer_size(*payload, buffer.size());
        std::memcpy(buffer.data(), frame + Framing::header_bytes, *payload);
        begin_ += bytes;
        return {Outcome::done, *payload};
      }
      if (const Outcome outcome = fill(deadline); outcome != Outcome::done) return {outcome};
    }
  }

 private:
  // Room for the longest frame, and for many short ones at once.
  [[nodiscard]] std::size_t buffer_bytes() const {
    return std::max(framing_.frame_bytes(message_bytes_), std::size_t{64} << 10);
  }

  // The payload's size, when all of the next frame is in the buffer.
  std::optional<std::size_t> whole_frame() const {
    const std::size_t have = end_ - begin_;
    if (have < Framing::header_bytes) return std::nullopt;
    Framing::Length length = 0;
    std::memcpy(&length, buffer_.get() + begin_, sizeof length);
    if (length == 0 || length > message_bytes_) {
      throw std::runtime_error("stream is corrupt: a frame claims " + std::to_string(length) +
                               " bytes, 1 to " + std::to_string(message_bytes_) + " are possible");
    }
    if (have < framing_.frame_bytes(length)) return std::nullopt;
    return length;
  }

  Outcome fill(Deadline deadline) {
    if (begin_ == end_) {
      begin_ = end_ = 0;
    } else if (begin_ > 0) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    stream_.set_blocking(deadline.is_never());
    for (;;) {
      const auto got = retry_interrupted(
          [&] { return ::read(stream_.fd().get(), buffer_.get() + end_, buffer_bytes() - end_); });
      if (got > 0) {
        end_ += static_cast<std::size_t>(got);
        return Outcome::done;
      }
      // A frame that its sender did not finish was never sent: nobody gets half a message.
      if (got == 0) return Outcome::closed;
      if (errno == ECONNRESET) continue;  // says it once; what was sent before is still there
      if (errno != EAGAIN) throw_errno("read");
      if (!poll(stream_.fd().get(), POLLIN, deadline)) return Outcome::timed_out;
    }
  }

  StreamFd stream_;
  Framing framing_;
  std::size_t message_bytes_;
  std::unique_ptr<std::byte[]> buffer_;  // not touched before something comes
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace ipc
