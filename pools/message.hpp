// Tasks and answers of any size over a channel that carries pieces.
//
//   short:   [header][body]
//   cut:     piece 1: [header][begin of the body]   piece 2...: [the rest]
//   shared:  [header]   the body is in an arena, and the header says where (pools/arena.hpp)
//
// A channel has one sender, so the pieces of a message follow each other. All are as long as the
// channel carries, except for the last.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "ipc/channel.hpp"
#include "pools/arena.hpp"
#include "pools/writer.hpp"

namespace pools {

// Short, so that a small task fits a cache line. Its size keeps the body aligned as the message is.
struct MessageHeader {
  std::uint64_t bytes;  // of the message in the channel
  std::uint64_t task;   // its number and the bits below; 0: nothing comes any more
};

inline constexpr std::uint64_t limited_task = std::uint64_t{1} << 63;  // TaskLimits follow
inline constexpr std::uint64_t shared_message = std::uint64_t{1}
                                                << 62;  // an Extent is all the rest

// The number of a task, without what else its message says.
inline std::uint64_t number_of(const MessageHeader& header) {
  return header.task & ~(limited_task | shared_message);
}

// Of a task that has any, behind the header.
struct alignas(16) TaskLimits {
  std::int64_t soft_ns;  // of running; 0: none
  std::int64_t hard_ns;
  std::uint64_t attempt;  // 1, and more when it is run again
};

// Requires a message, or its first piece.
inline MessageHeader header_of(ipc::Bytes message) {
  MessageHeader header;
  std::memcpy(&header, message.data(), sizeof header);
  return header;
}

// Throws std::runtime_error when there is none: the message is shorter than its header.
inline ipc::Bytes body_of(ipc::Bytes message) {
  if (message.size() < sizeof(MessageHeader)) {
    throw std::runtime_error("not a message of a pool: " + std::to_string(message.size()) +
                             " bytes are no header");
  }
  return message.subspan(sizeof(MessageHeader));
}

// Where a message that is in shared memory lies; nothing when it is in the channel.
inline std::optional<Extent> extent_of(ipc::Bytes message) {
  if ((header_of(message).task & shared_message) == 0) return std::nullopt;
  const ipc::Bytes body = body_of(message);
  Extent extent;
  if (body.size() != sizeof extent) throw std::runtime_error("not a message of a pool: no extent");
  std::memcpy(&extent, body.data(), sizeof extent);
  return extent;
}

// Where the next piece of an outgoing message begins, and whether there is one.
class Cutter {
 public:
  explicit Cutter(std::size_t piece_bytes) : piece_bytes_(piece_bytes) {}

  // A message that is ready but for its header, which this fills in. It stays where it is until it
  // is sent. `task`: its number, and limited_task.
  void begin(Writer& message, std::uint64_t task) {
    MessageHeader header{.bytes = message.size(), .task = task};
    left_ = message.bytes();
    if (message.block().valid()) {
      header = {.bytes = sizeof extent_, .task = task | shared_message};
      extent_.extent = {.offset = message.block().offset(), .bytes = message.size()};
      extent_.header = header;
      left_ = std::as_bytes(std::span(&extent_, 1));
    }
    std::memcpy(message.bytes().data(), &header, sizeof header);
  }
  [[nodiscard]] bool done() const { return left_.empty(); }
  [[nodiscard]] ipc::Bytes piece() const {
    return left_.first(std::min(piece_bytes_, left_.size()));
  }
  void sent() { left_ = left_.subspan(piece().size()); }

 private:
  struct InSharedMemory {
    MessageHeader header;
    Extent extent;
  };

  std::size_t piece_bytes_;
  InSharedMemory extent_{};
  ipc::Bytes left_;
};

// Puts incoming pieces together.
class Joiner {
 public:
  explicit Joiner(std::size_t piece_bytes) : piece_(piece_bytes) {}

  // Where to receive the next piece. Ends the life of a whole message's view.
  [[nodiscard]] ipc::Buffer room() {
    if (have_ == bytes_) begin();
    return have_ == 0 ? std::span(piece_) : std::span(message_).subspan(have_);
  }

  // Takes the piece that was received there. True when the message is whole.
  // Throws std::runtime_error when this is no message of a pool.
  bool add(std::size_t piece) {
    if (have_ == 0) {
      if (piece < sizeof(MessageHeader)) refuse(piece);
      bytes_ = header_of(piece_).bytes;
      if (bytes_ < piece || (bytes_ > piece && piece < piece_.size())) refuse(bytes_);
      if (bytes_ > piece) {
        message_.resize(bytes_);
        std::memcpy(message_.data(), piece_.data(), piece);
      }
    }
    have_ += piece;
    return whole();
  }
  [[nodiscard]] bool whole() const { return have_ > 0 && have_ == bytes_; }

  // The message. Requires whole().
  [[nodiscard]] ipc::Bytes view() const {
    return message_.empty() ? std::span(piece_).first(bytes_) : std::span(message_);
  }
  // The same, for good.
  [[nodiscard]] std::vector<std::byte> take() {
    if (!message_.empty()) return std::move(message_);
    return {piece_.begin(), piece_.begin() + static_cast<std::ptrdiff_t>(bytes_)};
  }

 private:
  void begin() {
    have_ = bytes_ = 0;
    message_ = {};
  }

  [[noreturn]] static void refuse(std::uint64_t bytes) {
    throw std::runtime_error("not a message of a pool: its length cannot be " +
                             std::to_string(bytes));
  }

  std::vector<std::byte> piece_;  // all of a message that has one piece
  std::vector<std::byte> message_;
  std::size_t have_ = 0;
  std::size_t bytes_ = 0;
};

// An answer that has arrived: bytes of this process, or a loan.
class Answer {
 public:
  Answer() = default;
  // Throw as body_of() does.
  explicit Answer(std::vector<std::byte> message)
      : message_(std::move(message)), body_(body_of(message_)) {}
  explicit Answer(Loan loan) : loan_(std::move(loan)), body_(body_of(loan_.bytes())) {}

  [[nodiscard]] ipc::Bytes body() const { return body_; }

 private:
  std::vector<std::byte> message_;  // one of the two
  Loan loan_;
  ipc::Bytes body_;
};

}  // namespace pools
