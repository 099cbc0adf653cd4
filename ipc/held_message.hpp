// Where a message waits that was taken from the kernel but did not fit the caller's buffer.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/message_size.hpp"

namespace ipc {

class HeldMessage {
 public:
  explicit HeldMessage(std::size_t message_bytes) : room_(message_bytes) {}

  [[nodiscard]] Buffer room() { return room_; }
  [[nodiscard]] std::size_t message_bytes() const { return room_.size(); }
  [[nodiscard]] bool waits() const { return size_ > 0; }

  // Keeps the first `size` bytes of room() as the next message.
  void hold(std::size_t size) { size_ = size; }

  // Throws std::logic_error when one waits: an end that is handed over would leave it behind.
  void require_empty() const {
    if (waits()) throw std::logic_error("a receiver with an undelivered message cannot be packed");
  }

  // Delivers it; throws std::length_error, and keeps it, when the buffer is too small.
  Received deliver(Buffer buffer) {
    check_buffer_size(size_, buffer.size());
    std::memcpy(buffer.data(), room_.data(), size_);
    return {Outcome::done, std::exchange(size_, 0)};
  }

 private:
  std::vector<std::byte> room_;
  std::size_t size_ = 0;
};

}  // namespace ipc
