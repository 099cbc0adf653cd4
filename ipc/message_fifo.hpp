// Messages in a ring of bytes, in shared memory, under somebody else's lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "ipc/channel.hpp"
#include "ipc/layout.hpp"
#include "ipc/message_size.hpp"

namespace ipc {

// One process's view of the ring: where it lies and how large it is are this process's own; the
// indices and the lengths are the peer's too, so each is copied, then checked, then used. Each
// message is its length and its payload, wrapped around the end where it falls.
// push and pop are called under a lock and change one index, last: a process that is killed in
// between has changed nothing, so there is nothing to repair. Both throw std::runtime_error when
// what a peer wrote is impossible.
class MessageFifo {
 public:
  using Length = std::uint32_t;

  // In shared memory. Acquire and release throughout: the order then rests on these two alone and
  // also holds for checkers that do not know the lock (semop(2), sem_clockwait(3)).
  struct Indices {
    std::atomic<std::uint64_t> pushed{0};  // bytes, ever
    std::atomic<std::uint64_t> popped{0};
  };

  static constexpr std::size_t bytes_for(std::size_t message) { return sizeof(Length) + message; }

  // Throws std::runtime_error when the ring has no room for the longest message.
  MessageFifo(Indices& indices, Buffer ring, std::size_t message_bytes)
      : indices_(&indices), ring_(ring), message_bytes_(message_bytes) {
    if (message_bytes == 0 || message_bytes > ring.size() ||
        bytes_for(message_bytes) > ring.size()) {
      throw_damaged("a ring of " + std::to_string(ring.size()) + " bytes cannot hold messages of " +
                    std::to_string(message_bytes));
    }
  }

  [[nodiscard]] std::size_t capacity() const { return ring_.size(); }
  [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }

  // These two may be asked without the lock, to know when to try. Impossible indices give a try
  // too: it tells.
  [[nodiscard]] bool has_room(std::size_t message) const {
    const std::uint64_t bytes = used();
    return bytes > capacity() || bytes_for(message) <= capacity() - bytes;
  }
  [[nodiscard]] bool empty() const { return used() == 0; }

  // False when there is no room. Requires at most message_bytes.
  bool push(Bytes message) {
    if (checked_used() + bytes_for(message.size()) > capacity()) return false;
    const std::uint64_t at = indices_->pushed.load(std::memory_order_acquire);
    const auto length = static_cast<Length>(message.size());
    copy_in(at, &length, sizeof length);
    copy_in(at + sizeof length, message.data(), message.size());
    // Release: whoever sees the index sees the message (partner: used, in pop).
    indices_->pushed.store(at + bytes_for(message.size()), std::memory_order_release);
    return true;
  }

  // Nothing when empty; throws std::length_error, and keeps the message, when it does not fit.
  std::optional<std::size_t> pop(Buffer buffer) {
    const std::uint64_t bytes = checked_used();
    if (bytes == 0) return std::nullopt;
    const std::uint64_t at = indices_->popped.load(std::memory_order_acquire);
    Length length = 0;
    copy_out(at, &length, sizeof length);
    if (length == 0 || length > message_bytes_ || bytes_for(length) > bytes) {
      throw_damaged("a message claims " + std::to_string(length) + " bytes, 1 to " +
                    std::to_string(message_bytes_) + " are possible and " + std::to_string(bytes) +
                    " are there");
    }
    check_buffer_size(length, buffer.size());
    copy_out(at + sizeof length, buffer.data(), length);
    // Release: our reads are done before the room is used again (partner: used, in push).
    indices_->popped.store(at + bytes_for(length), std::memory_order_release);
    return length;
  }

 private:
  // The bytes that are in use. Without the lock they may be more than the capacity for a moment,
  // because the two indices are not read at once.
  [[nodiscard]] std::uint64_t used() const {
    const std::uint64_t popped = indices_->popped.load(std::memory_order_acquire);
    return indices_->pushed.load(std::memory_order_acquire) - popped;
  }
  [[nodiscard]] std::uint64_t checked_used() const {
    const std::uint64_t bytes = used();
    if (bytes > capacity()) {
      throw_damaged("its indices say that " + std::to_string(bytes) + " of " +
                    std::to_string(capacity()) + " bytes are in use");
    }
    return bytes;
  }

  // Copies in one or two pieces: up to the end of the ring, and from its start.
  void copy_in(std::uint64_t position, const void* from, std::size_t bytes) {
    const std::size_t at = position % capacity();
    const std::size_t first = std::min(bytes, capacity() - at);
    std::memcpy(ring_.data() + at, from, first);
    std::memcpy(ring_.data(), static_cast<const std::byte*>(from) + first, bytes - first);
  }
  void copy_out(std::uint64_t position, void* to, std::size_t bytes) {
    const std::size_t at = position % capacity();
    const std::size_t first = std::min(bytes, capacity() - at);
    std::memcpy(to, ring_.data() + at, first);
    std::memcpy(static_cast<std::byte*>(to) + first, ring_.data(), bytes - first);
  }

  Indices* indices_;
  Buffer ring_;
  std::size_t message_bytes_;
};

}  // namespace ipc
