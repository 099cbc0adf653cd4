// A channel over a message fifo under a lock, once for every lock and for every kind of memory:
// shm_mutex, shm_condvar, shm_semaphore, boost_shm, sysv_shm.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/flag.hpp"
#include "ipc/layout.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_fifo.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// The lock and the two conditions that are waited for, in shared memory: a monitor.
template <class S>
concept FifoSync = requires(S sync, bool (*ready)(), bool changed, Deadline deadline) {
  { S::kind } -> std::convertible_to<std::string_view>;  // names the layout
  // Semaphores count whole messages; the others leave it to the bytes of the fifo.
  { S::counts_messages } -> std::convertible_to<bool>;
  // Waits until ready(), and holds the lock then: true. False at the deadline, without the lock.
  // Who counts does not ask ready().
  { sync.enter_to_push(ready, deadline) } -> std::same_as<bool>;
  { sync.enter_to_pop(ready, deadline) } -> std::same_as<bool>;
  // Unlocks, and tells the other side if there was a change. These four never fail: who enters
  // next is told what is wrong.
  { sync.leave_push(changed) } -> std::same_as<void>;
  { sync.leave_pop(changed) } -> std::same_as<void>;
  // Frees all that wait to push or to pop, and whoever comes to wait: ready() is true for ever.
  { sync.free_senders() } -> std::same_as<void>;
  { sync.free_receivers() } -> std::same_as<void>;
};

// Memory that the ends of a process use together.
template <class M>
concept FifoMemory = std::constructible_from<M, Parcel&> &&
    requires(const M& memory, Parcel& parcel) {
  { memory.bytes() } -> std::same_as<Buffer>;
  { memory.pack(parcel) } -> std::same_as<void>;
};

// What lies at the start of the memory; the fifo's ring is the rest of it.
template <FifoSync Sync>
struct LockedFifo {
  static constexpr std::string_view kind = Sync::kind;

  Layout layout{kind};
  Flag senders_gone;
  Flag receivers_gone;
  MessageFifo::Indices indices;
  Sync sync;

  template <class... Args>
  explicit LockedFifo(Args&&... args) : sync(std::forward<Args>(args)...) {}

  static std::size_t messages_for(const Options& options) {
    return std::clamp<std::size_t>(options.capacity.bytes / options.message_bytes, 1,
                                   options.capacity.messages);
  }
  static std::size_t bytes_for(const Options& options) {
    const std::size_t one = MessageFifo::bytes_for(options.message_bytes);
    return sizeof(LockedFifo) + (Sync::counts_messages ? messages_for(options) * one
                                                       : std::max(options.capacity.bytes, one));
  }
};

// Leaves the monitor, whatever happens inside.
template <class Leave>
class Inside {
 public:
  explicit Inside(Leave leave) : leave_(leave) {}
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { leave_(changed); }

  bool changed = false;

 private:
  Leave leave_;
};

// What an end holds.
template <FifoSync Sync, FifoMemory Memory>
class LockedFifoEnd {
 public:
  LockedFifoEnd(std::shared_ptr<const Memory> memory, Lifeline lifeline, std::size_t message_bytes)
      : memory_(std::move(memory)),
        lifeline_(std::move(lifeline)),
        shared_(&attach_header<LockedFifo<Sync>>(memory_->bytes())),
        fifo_(shared_->indices, memory_->bytes().subspan(sizeof(LockedFifo<Sync>)), message_bytes) {
  }
  explicit LockedFifoEnd(Parcel& parcel)
      : LockedFifoEnd(unpack(std::make_shared<const Memory>(parcel), parcel)) {}

  void pack(Parcel& parcel) && {
    memory_->pack(parcel);
    std::move(lifeline_).pack(parcel);
    parcel.put(fifo_.message_bytes());
    memory_.reset();
  }
  [[nodiscard]] LockedFifoEnd clone() const {
    return {memory_, lifeline_.clone(), fifo_.message_bytes()};
  }

 protected:
  std::shared_ptr<const Memory> memory_;
  Lifeline lifeline_;
  LockedFifo<Sync>* shared_;
  MessageFifo fifo_;

 private:
  static LockedFifoEnd unpack(std::shared_ptr<const Memory> memory, Parcel& parcel) {
    Lifeline lifeline(parcel);
    return {std::move(memory), std::move(lifeline), parcel.take<std::size_t>()};
  }
};

template <FifoSync Sync, FifoMemory Memory>
class LockedFifoSender : public LockedFifoEnd<Sync, Memory> {
  using End = LockedFifoEnd<Sync, Memory>;

 public:
  explicit LockedFifoSender(End end) : End(std::move(end)) {}
  explicit LockedFifoSender(Parcel& parcel) : End(parcel) {}

  LockedFifoSender(LockedFifoSender&&) noexcept = default;
  LockedFifoSender& operator=(LockedFifoSender&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~LockedFifoSender() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    shared_->senders_gone.raise();  // partner: receive
    shared_->sync.free_receivers();
  }

  [[nodiscard]] LockedFifoSender clone() const { return LockedFifoSender(End::clone()); }
  [[nodiscard]] Capacity capacity() const {
    if constexpr (!Sync::counts_messages) return {.bytes = fifo_.capacity()};
    const auto messages = fifo_.capacity() / MessageFifo::bytes_for(fifo_.message_bytes());
    return {.bytes = messages * fifo_.message_bytes(), .messages = messages};
  }

  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), fifo_.message_bytes());
    const auto closed = [&] { return shared_->receivers_gone.raised(); };
    const auto ready = [&] { return closed() || fifo_.has_room(message.size()); };
    if (!shared_->sync.enter_to_push(ready, deadline)) {
      return lifeline_.peers_gone() ? Outcome::closed : Outcome::timed_out;
    }
    Inside inside([&](bool pushed) { shared_->sync.leave_push(pushed); });
    if (closed()) return Outcome::closed;
    inside.changed = fifo_.push(message);
    if (!inside.changed) throw_damaged("it was said to have room, and has none");
    return Outcome::done;
  }

 private:
  using End::fifo_;
  using End::lifeline_;
  using End::shared_;
};

template <FifoSync Sync, FifoMemory Memory>
class LockedFifoReceiver : public LockedFifoEnd<Sync, Memory> {
  using End = LockedFifoEnd<Sync, Memory>;

 public:
  explicit LockedFifoReceiver(End end) : End(std::move(end)) {}
  explicit LockedFifoReceiver(Parcel& parcel) : End(parcel) {}

  LockedFifoReceiver(LockedFifoReceiver&&) noexcept = default;
  LockedFifoReceiver& operator=(LockedFifoReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~LockedFifoReceiver() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    shared_->receivers_gone.raise();  // partner: send
    shared_->sync.free_senders();
  }

  [[nodiscard]] LockedFifoReceiver clone() const { return LockedFifoReceiver(End::clone()); }

  Received receive(Buffer buffer, Deadline deadline) {
    const auto ready = [&] { return shared_->senders_gone.raised() || !fifo_.empty(); };
    bool ended = false;
    if (!shared_->sync.enter_to_pop(ready, deadline)) {
      if (!lifeline_.peers_gone()) return {Outcome::timed_out};
      // They may have sent a last message between our look and their end.
      ended = true;
      if (!shared_->sync.enter_to_pop([] { return true; }, Deadline::now())) {
        return {Outcome::closed};
      }
    }
    std::optional<std::size_t> size;
    {
      Inside inside([&](bool popped) { shared_->sync.leave_pop(popped); });
      // The flag first: what was sent before it was raised is then seen by pop.
      ended = ended || shared_->senders_gone.raised();
      size = fifo_.pop(buffer);
      inside.changed = size.has_value();
    }
    if (!size && !ended) throw_damaged("it was said to have a message, and has none");
    if (!size) return {Outcome::closed};
    // What counts messages may be short of one whose sender was killed before it counted it: from
    // now on nobody waits.
    if (ended) shared_->sync.free_receivers();
    return {Outcome::done, *size};
  }

 private:
  using End::fifo_;
  using End::lifeline_;
  using End::shared_;
};

// Opens both ends over memory of LockedFifo<Sync>::bytes_for(options). `args` construct the Sync.
template <FifoSync Sync, FifoMemory Memory, class... Args>
std::pair<LockedFifoSender<Sync, Memory>, LockedFifoReceiver<Sync, Memory>> open_locked_fifo(
    Memory made, std::pair<Lifeline, Lifeline> lifelines, const Options& options, Args&&... args) {
  using End = LockedFifoEnd<Sync, Memory>;
  const auto memory = std::make_shared<const Memory>(std::move(made));
  new (memory->bytes().data()) LockedFifo<Sync>(std::forward<Args>(args)...);
  End sender(memory, std::move(lifelines.first), options.message_bytes);
  End receiver(memory, std::move(lifelines.second), options.message_bytes);
  return {LockedFifoSender<Sync, Memory>(std::move(sender)),
          LockedFifoReceiver<Sync, Memory>(std::move(receiver))};
}

}  // namespace ipc
