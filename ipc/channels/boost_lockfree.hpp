// The two queues of Boost.Lockfree, between threads.
// https://www.boost.org/doc/libs/release/doc/html/lockfree.html
//
// - spsc_queue, of bytes: a ring between two threads, with an index each.
//     frame:  [length: 4 bytes][payload], pushed in one piece
// - queue, after Michael and Scott: a list of nodes, for many senders and receivers. Here it holds
//   the indices of places where messages lie; a second one holds those of the free places.
//
// ThreadSanitizer reports races inside queue: it reads nodes that may be in use again, and throws
// away by their tags what it read. tests/thread_sanitizer.cpp keeps these reports out.
//
// They have no way to wait and know no end: the ends spin, and say goodbye beside the queue.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include "ipc/channel.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_size.hpp"
#include "ipc/wait.hpp"

namespace ipc {

// What the two ends share.
struct BoostSpscShared {
  using Length = std::uint32_t;

  BoostSpscShared(std::size_t capacity_bytes, std::size_t longest)
      : queue(capacity_bytes), capacity(capacity_bytes), message_bytes(longest) {}

  boost::lockfree::spsc_queue<std::byte> queue;
  const std::size_t capacity;
  const std::size_t message_bytes;
  std::atomic<bool> sender_gone{false};
  std::atomic<bool> receiver_gone{false};
};

class BoostSpscSender {
 public:
  explicit BoostSpscSender(std::shared_ptr<BoostSpscShared> shared)
      : shared_(std::move(shared)), frame_(sizeof(Length) + shared_->message_bytes) {}

  BoostSpscSender(BoostSpscSender&&) noexcept = default;
  BoostSpscSender& operator=(BoostSpscSender&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~BoostSpscSender() {
    if (shared_) shared_->sender_gone.store(true, std::memory_order_release);  // partner: receive
  }

  [[nodiscard]] Capacity capacity() const { return {.bytes = shared_->capacity}; }

  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), shared_->message_bytes);
    const auto closed = [&] { return shared_->receiver_gone.load(std::memory_order_acquire); };
    const auto length = static_cast<Length>(message.size());
    const std::size_t bytes = sizeof length + message.size();
    const auto ready = [&] { return closed() || shared_->queue.write_available() >= bytes; };
    if (!spin_until(deadline, ready, 1024, relax)) return Outcome::timed_out;
    if (closed()) return Outcome::closed;
    std::memcpy(frame_.data(), &length, sizeof length);
    std::memcpy(frame_.data() + sizeof length, message.data(), message.size());
    shared_->queue.push(frame_.data(), bytes);
    return Outcome::done;
  }

 private:
  using Length = BoostSpscShared::Length;

  std::shared_ptr<BoostSpscShared> shared_;
  std::vector<std::byte> frame_;  // a push is seen as a whole; two would be seen one by one
};

class BoostSpscReceiver {
 public:
  explicit BoostSpscReceiver(std::shared_ptr<BoostSpscShared> shared)
      : shared_(std::move(shared)) {}

  BoostSpscReceiver(BoostSpscReceiver&&) noexcept = default;
  BoostSpscReceiver& operator=(BoostSpscReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~BoostSpscReceiver() {
    if (shared_) shared_->receiver_gone.store(true, std::memory_order_release);  // partner: send
  }

  Received receive(Buffer buffer, Deadline deadline) {
    auto& queue = shared_->queue;
    if (length_ == 0) {
      const auto ready = [&] {
        return queue.read_available() > 0 || shared_->sender_gone.load(std::memory_order_acquire);
      };
      if (!spin_until(deadline, ready, 1024, relax)) return {Outcome::timed_out};
      // What was sent before the sender went is seen now that we know that it went.
      if (queue.read_available() == 0) return {Outcome::closed};
      std::array<std::byte, sizeof length_> length{};
      queue.pop(length.data(), length.size());
      std::memcpy(&length_, length.data(), length.size());
    }
    check_buffer_size(length_, buffer.size());
    queue.pop(buffer.data(), length_);
    return {Outcome::done, std::exchange(length_, 0)};
  }

 private:
  std::shared_ptr<BoostSpscShared> shared_;
  BoostSpscShared::Length length_ = 0;  // of a message that is next, when it did not fit
};

struct BoostLockfreeSpsc {
  static constexpr std::string_view name = "boost_lockfree<spsc_queue>";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .crosses_processes = false,
      .spins = true,
      .wait = "spin",
      .opened_by = "the threads of its process",
  };

  using Sender = BoostSpscSender;
  using Receiver = BoostSpscReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const std::size_t longest_frame = sizeof(BoostSpscShared::Length) + options.message_bytes;
    auto shared = std::make_shared<BoostSpscShared>(std::max(options.capacity.bytes, longest_frame),
                                                    options.message_bytes);
    Sender sender(shared);
    return {std::move(sender), Receiver(std::move(shared))};
  }
};

static_assert(Channel<BoostLockfreeSpsc>);

class BoostLockfreeQueue {
  using Index = std::size_t;

  // What all ends share.
  class Places {
   public:
    explicit Places(const Options& options)
        : message_bytes(options.message_bytes),
          count(places_for(options)),
          free(count),
          full(count),
          lengths_(count),
          payloads_(count * message_bytes) {
      for (Index index = 0; index < count; ++index) free.push(index);
    }

    const std::size_t message_bytes;
    const std::size_t count;
    boost::lockfree::queue<Index> free;
    boost::lockfree::queue<Index> full;
    std::atomic<std::size_t> senders{1};
    std::atomic<std::size_t> receivers{1};

    // A place belongs to who has popped its index, until it is pushed again.
    void write(Index index, Bytes message) {
      lengths_[index] = message.size();
      std::memcpy(payloads_.data() + index * message_bytes, message.data(), message.size());
    }
    [[nodiscard]] Bytes read(Index index) const {
      return {payloads_.data() + index * message_bytes, lengths_[index]};
    }

   private:
    std::vector<std::size_t> lengths_;
    std::vector<std::byte> payloads_;
  };

 public:
  static constexpr std::string_view name = "boost_lockfree<queue>";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .crosses_processes = false,
      .spins = true,
      .wait = "spin",
      .opened_by = "the threads of its process",
  };

  class Sender {
   public:
    explicit Sender(std::shared_ptr<Places> places) : places_(std::move(places)) {}
    Sender(Sender&&) noexcept = default;
    Sender& operator=(Sender&& other) noexcept { return replace(*this, std::move(other)); }
    ~Sender() {
      // Release: who sees none of us sees all that we sent (partner: receive).
      if (places_) places_->senders.fetch_sub(1, std::memory_order_acq_rel);
    }

    [[nodiscard]] Sender clone() const {
      places_->senders.fetch_add(1, std::memory_order_relaxed);  // not the last one: we are here
      return Sender(places_);
    }
    [[nodiscard]] Capacity capacity() const {
      return {.bytes = places_->count * places_->message_bytes, .messages = places_->count};
    }

    Outcome send(Bytes message, Deadline deadline) {
      check_message_size(message.size(), places_->message_bytes);
      bool closed = false;
      Index index = 0;
      const auto ready = [&] {
        closed = places_->receivers.load(std::memory_order_acquire) == 0;
        return closed || places_->free.pop(index);
      };
      if (!spin_until(deadline, ready, 1024, relax)) return Outcome::timed_out;
      if (closed) return Outcome::closed;
      places_->write(index, message);
      places_->full.push(index);
      return Outcome::done;
    }

   private:
    std::shared_ptr<Places> places_;
  };

  class Receiver {
   public:
    explicit Receiver(std::shared_ptr<Places> places) : places_(std::move(places)) {}
    Receiver(Receiver&&) noexcept = default;
    Receiver& operator=(Receiver&& other) noexcept { return replace(*this, std::move(other)); }
    ~Receiver() {
      if (!places_) return;
      if (held_) places_->free.push(*held_);
      places_->receivers.fetch_sub(1, std::memory_order_release);  // partner: send
    }

    [[nodiscard]] Receiver clone() const {
      places_->receivers.fetch_add(1, std::memory_order_relaxed);  // not the last one: we are here
      return Receiver(places_);
    }

    Received receive(Buffer buffer, Deadline deadline) {
      bool ended = false;
      const auto ready = [&] {
        if (held_) return true;
        // The count first: what was sent before the last sender went is then seen by pop.
        ended = places_->senders.load(std::memory_order_acquire) == 0;
        Index index = 0;
        if (places_->full.pop(index)) held_ = index;
        return held_ || ended;
      };
      if (!spin_until(deadline, ready, 1024, relax)) return {Outcome::timed_out};
      if (!held_) return {Outcome::closed};
      const Bytes message = places_->read(*held_);
      check_buffer_size(message.size(), buffer.size());
      std::memcpy(buffer.data(), message.data(), message.size());
      places_->free.push(*std::exchange(held_, std::nullopt));
      return {Outcome::done, message.size()};
    }

   private:
    std::shared_ptr<Places> places_;
    std::optional<Index> held_;  // a message that is next, when it did not fit
  };

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto places = std::make_shared<Places>(options);
    Sender sender(places);
    return {std::move(sender), Receiver(std::move(places))};
  }
};

static_assert(Channel<BoostLockfreeQueue>);

}  // namespace ipc
