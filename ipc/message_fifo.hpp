// Messages in a ring of bytes, in shared memory, under somebody else's lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>

#include "ipc/channel.hpp"
#include "ipc/message_size.hpp"

namespace ipc {

// Followed in memory by capacity() bytes. Each message is its length and its payload, wrapped
// around the end where it falls. push and pop are called under a lock and change one index, last:
// a process that is killed in between has changed nothing, so there is nothing to repair.
class MessageFifo {
 public:
  using Length = std::uint32_t;

  static constexpr std::size_t bytes_for(std::size_t message) { return sizeof(Length) + message; }

  explicit MessageFifo(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // These two may be asked without the lock, to know when to try.
  [[nodiscard]] bool has_room(std::size_t message) const {
    const auto popped = popped_.load(std::memory_order_acquire);  // partner: pop
    return pushed_.load(std::memory_order_relaxed) - popped + bytes_for(message) <= capacity_;
  }
  [[nodiscard]] bool empty() const {
    return pushed_.load(std::memory_order_acquire) ==  // partner: push
           popped_.load(std::memory_order_relaxed);
  }

  bool push(Bytes message) {
    if (!has_room(message.size())) return false;
    const auto at = pushed_.load(std::memory_order_relaxed);
    const auto length = static_cast<Length>(message.size());
    copy_in(at, &length, sizeof length);
    copy_in(at + sizeof length, message.data(), message.size());
    pushed_.store(at + bytes_for(message.size()), std::memory_order_release);
    return true;
  }

  // Nothing when empty; throws std::length_error, and keeps the message, when it does not fit.
  std::optional<std::size_t> pop(Buffer buffer) {
    if (empty()) return std::nullopt;
    const auto at = popped_.load(std::memory_order_relaxed);
    Length length = 0;
    copy_out(at, &length, sizeof length);
    check_buffer_size(length, buffer.size());
    copy_out(at + sizeof length, buffer.data(), length);
    popped_.store(at + bytes_for(length), std::memory_order_release);
    return length;
  }

 private:
  std::byte* ring() { return reinterpret_cast<std::byte*>(this + 1); }

  // Copies in one or two pieces: up to the end of the ring, and from its start.
  void copy_in(std::uint64_t position, const void* from, std::size_t bytes) {
    const std::size_t at = position % capacity_;
    const std::size_t first = std::min(bytes, capacity_ - at);
    std::memcpy(ring() + at, from, first);
    std::memcpy(ring(), static_cast<const std::byte*>(from) + first, bytes - first);
  }
  void copy_out(std::uint64_t position, void* to, std::size_t bytes) {
    const std::size_t at = position % capacity_;
    const std::size_t first = std::min(bytes, capacity_ - at);
    std::memcpy(to, ring() + at, first);
    std::memcpy(static_cast<std::byte*>(to) + first, ring(), bytes - first);
  }

  const std::size_t capacity_;
  std::atomic<std::uint64_t> pushed_{0};  // bytes, ever
  std::atomic<std::uint64_t> popped_{0};
};

}  // namespace ipc
