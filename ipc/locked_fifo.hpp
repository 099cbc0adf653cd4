// A channel over a message fifo under a lock, once for every lock: shm_mutex, boost_shm.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_fifo.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// The lock and the two places to wait, in shared memory.
template <class S>
concept FifoSync = requires(S sync, bool (*ready)(), Deadline deadline) {
  sync.lock();
  sync.unlock();
  // True once ready() is; false at the deadline. Called without the lock.
  { sync.await_message(ready, deadline) } -> std::same_as<bool>;
  { sync.await_room(ready, deadline) } -> std::same_as<bool>;
  sync.notify_message();
  sync.notify_room();
};

// What lies in shared memory; the fifo's bytes follow.
template <FifoSync Sync>
struct LockedFifo {
  Sync sync;
  std::atomic<bool> senders_gone{false};
  std::atomic<bool> receivers_gone{false};
  MessageFifo fifo;

  explicit LockedFifo(std::size_t capacity) : fifo(capacity) {}

  // Raises a flag under the lock, so that no waiter is between its look and its sleep.
  void raise(std::atomic<bool>& flag) {
    try {
      const std::scoped_lock lock(sync);
      flag.store(true, std::memory_order_release);  // partners: the ready() of send and receive
    } catch (const std::system_error&) {
      // The lock was lost with a peer that was killed; whoever tries it next is told so.
      flag.store(true, std::memory_order_release);
    }
  }

  static std::size_t capacity_for(const Options& options) {
    return std::max(options.capacity.bytes, MessageFifo::bytes_for(options.message_bytes));
  }
  static std::size_t bytes_for(const Options& options) {
    return sizeof(LockedFifo) + capacity_for(options);
  }
};

// What an end holds: memory with a LockedFifo in it, and the lifeline.
// Memory: shared() is that LockedFifo; clone(), pack(), Memory(Parcel&).
template <class Memory>
class LockedFifoEnd {
 public:
  LockedFifoEnd(Memory memory, Lifeline lifeline, std::size_t message_bytes)
      : memory_(std::move(memory)), lifeline_(std::move(lifeline)), message_bytes_(message_bytes) {}
  explicit LockedFifoEnd(Parcel& parcel)
      : memory_(parcel), lifeline_(parcel), message_bytes_(parcel.take<std::size_t>()) {}

  void pack(Parcel& parcel) && {
    std::move(memory_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    parcel.put(message_bytes_);
  }
  [[nodiscard]] LockedFifoEnd clone() const {
    return {memory_.clone(), lifeline_.clone(), message_bytes_};
  }

 protected:
  [[nodiscard]] auto& shared() { return memory_.shared(); }
  [[nodiscard]] const auto& shared() const { return memory_.shared(); }

  Memory memory_;
  Lifeline lifeline_;
  std::size_t message_bytes_;
};

template <class Memory>
class LockedFifoSender : public LockedFifoEnd<Memory> {
 public:
  explicit LockedFifoSender(LockedFifoEnd<Memory> end) : LockedFifoEnd<Memory>(std::move(end)) {}
  explicit LockedFifoSender(Parcel& parcel) : LockedFifoEnd<Memory>(parcel) {}

  LockedFifoSender(LockedFifoSender&&) noexcept = default;
  LockedFifoSender& operator=(LockedFifoSender&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~LockedFifoSender() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    this->shared().raise(this->shared().senders_gone);
    this->shared().sync.notify_message();
  }

  [[nodiscard]] LockedFifoSender clone() const {
    return LockedFifoSender(LockedFifoEnd<Memory>::clone());
  }
  [[nodiscard]] Capacity capacity() const { return {.bytes = this->shared().fifo.capacity()}; }

  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), this->message_bytes_);
    auto& shared = this->shared();
    const auto closed = [&] { return shared.receivers_gone.load(std::memory_order_acquire); };
    for (;;) {
      if (closed()) return Outcome::closed;
      if (push(message)) return Outcome::done;
      const auto ready = [&] { return shared.fifo.has_room(message.size()) || closed(); };
      if (!shared.sync.await_room(ready, deadline)) {
        return lifeline_.peers_gone() ? Outcome::closed : Outcome::timed_out;
      }
    }
  }

 private:
  using LockedFifoEnd<Memory>::lifeline_;

  bool push(Bytes message) {
    auto& shared = this->shared();
    {
      const std::scoped_lock lock(shared.sync);
      if (!shared.fifo.push(message)) return false;
    }
    shared.sync.notify_message();
    return true;
  }
};

template <class Memory>
class LockedFifoReceiver : public LockedFifoEnd<Memory> {
 public:
  explicit LockedFifoReceiver(LockedFifoEnd<Memory> end) : LockedFifoEnd<Memory>(std::move(end)) {}
  explicit LockedFifoReceiver(Parcel& parcel) : LockedFifoEnd<Memory>(parcel) {}

  LockedFifoReceiver(LockedFifoReceiver&&) noexcept = default;
  LockedFifoReceiver& operator=(LockedFifoReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~LockedFifoReceiver() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    this->shared().raise(this->shared().receivers_gone);
    this->shared().sync.notify_room();
  }

  [[nodiscard]] LockedFifoReceiver clone() const {
    return LockedFifoReceiver(LockedFifoEnd<Memory>::clone());
  }

  Received receive(Buffer buffer, Deadline deadline) {
    auto& shared = this->shared();
    bool ended = false;
    for (;;) {
      if (const auto size = pop(buffer)) return {Outcome::done, *size};
      if (ended) return {Outcome::closed};
      // What was sent before the flag was raised is seen by the pop after it.
      const auto ready = [&] {
        ended = shared.senders_gone.load(std::memory_order_acquire);
        return ended || !shared.fifo.empty();
      };
      if (!shared.sync.await_message(ready, deadline)) {
        if (!lifeline_.peers_gone()) return {Outcome::timed_out};
        ended = true;
      }
    }
  }

 private:
  using LockedFifoEnd<Memory>::lifeline_;

  std::optional<std::size_t> pop(Buffer buffer) {
    auto& shared = this->shared();
    std::optional<std::size_t> size;
    {
      const std::scoped_lock lock(shared.sync);
      size = shared.fifo.pop(buffer);
    }
    if (size) shared.sync.notify_room();
    return size;
  }
};

// Opens both ends over memory in which a LockedFifo was constructed.
template <class Memory>
std::pair<LockedFifoSender<Memory>, LockedFifoReceiver<Memory>> open_locked_fifo(
    Memory memory, std::pair<Lifeline, Lifeline> lifelines, std::size_t message_bytes) {
  Memory senders_memory = memory.clone();
  return {LockedFifoSender<Memory>(LockedFifoEnd<Memory>(
              std::move(senders_memory), std::move(lifelines.first), message_bytes)),
          LockedFifoReceiver<Memory>(LockedFifoEnd<Memory>(
              std::move(memory), std::move(lifelines.second), message_bytes))};
}

}  // namespace ipc
