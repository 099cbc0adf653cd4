// What threads of one process use most: a queue of messages under a lock, here of any kind. Who has
// to wait for a message or for room sleeps on an eventcount, whatever the lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/locks.hpp"
#include "ipc/message_size.hpp"

namespace ipc {

template <Lock L>
class GuardedQueue {
  static constexpr std::string_view prefix = "guarded_queue<";
  static constexpr std::string_view suffix = ">";

  using Message = std::vector<std::byte>;

  // What all ends share. A message is allocated and copied without the lock.
  class Queue {
   public:
    explicit Queue(const Options& options)
        : message_bytes(options.message_bytes),
          capacity_bytes(std::max(options.capacity.bytes, options.message_bytes)) {}

    const std::size_t message_bytes;
    const std::size_t capacity_bytes;  // of messages, whatever is kept beside them
    std::atomic<std::size_t> senders{1};
    std::atomic<std::size_t> receivers{1};
    Eventcount message_event;  // a message has come, or the last sender has gone
    Eventcount room_event;     // a message was taken, or the last receiver has gone

    // These two may be asked without the lock, to know when to try.
    [[nodiscard]] bool has_room(std::size_t message) const {
      return used_bytes_.load(std::memory_order_acquire) + message <= capacity_bytes;
    }
    [[nodiscard]] bool empty() const { return used_bytes_.load(std::memory_order_acquire) == 0; }

    // False, and `message` as it was, where there is no room.
    bool push(Message& message) {
      const std::lock_guard hold(lock_);
      if (!has_room(message.size())) return false;
      const std::size_t size = message.size();
      messages_.push_back(std::move(message));
      used_bytes_.fetch_add(size, std::memory_order_release);  // partner: empty
      return true;
    }

    // Nothing when empty; throws std::length_error, and keeps the message, when it does not fit.
    std::optional<Message> pop(std::size_t room) {
      const std::lock_guard hold(lock_);
      if (messages_.empty()) return std::nullopt;
      check_buffer_size(messages_.front().size(), room);
      std::optional<Message> message(std::move(messages_.front()));
      messages_.pop_front();
      used_bytes_.fetch_sub(message->size(), std::memory_order_release);  // partner: has_room
      return message;
    }

   private:
    L lock_;
    std::deque<Message> messages_;            // changes under the lock
    std::atomic<std::size_t> used_bytes_{0};  // as well
  };

 public:
  static constexpr std::string_view name = JoinedName<prefix, L::name, suffix>::value;
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .crosses_processes = false,
      .death_notice = "a thread is not killed alone",
      .tries_without_waiting = false,  // a lock is held meanwhile
      .wait = "futex",
      .opened_by = "threads of its process",
  };

  class Sender {
   public:
    explicit Sender(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
    Sender(Sender&&) noexcept = default;
    Sender& operator=(Sender&& other) noexcept { return replace(*this, std::move(other)); }
    ~Sender() {
      // Acquire and release: who sees none of us sees all that we sent. Partner: receive.
      if (queue_ == nullptr || queue_->senders.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
      queue_->message_event.notify_all();
    }

    [[nodiscard]] Sender clone() const {
      queue_->senders.fetch_add(1, std::memory_order_relaxed);  // not the last one: we are here
      return Sender(queue_);
    }
    [[nodiscard]] Capacity capacity() const { return {.bytes = queue_->capacity_bytes}; }

    Outcome send(Bytes bytes, Deadline deadline) {
      check_message_size(bytes.size(), queue_->message_bytes);
      const auto closed = [&] { return queue_->receivers.load(std::memory_order_acquire) == 0; };
      const auto ready = [&] { return closed() || queue_->has_room(bytes.size()); };
      std::optional<Message> message;
      while (!closed()) {
        if (queue_->room_event.await(ready, deadline)) {
          if (!message) message.emplace(bytes.begin(), bytes.end());
          if (!queue_->push(*message)) continue;  // somebody else was quicker
          queue_->message_event.notify_all();
          return Outcome::done;
        }
        return Outcome::timed_out;
      }
      return Outcome::closed;
    }

   private:
    std::shared_ptr<Queue> queue_;
  };

  class Receiver {
   public:
    explicit Receiver(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
    Receiver(Receiver&&) noexcept = default;
    Receiver& operator=(Receiver&& other) noexcept { return replace(*this, std::move(other)); }
    ~Receiver() {
      // Partner of the release: send.
      if (queue_ == nullptr || queue_->receivers.fetch_sub(1, std::memory_order_acq_rel) > 1) {
        return;
      }
      queue_->room_event.notify_all();
    }

    [[nodiscard]] Receiver clone() const {
      queue_->receivers.fetch_add(1, std::memory_order_relaxed);  // not the last one: we are here
      return Receiver(queue_);
    }

    Received receive(Buffer buffer, Deadline deadline) {
      bool ended = false;
      const auto ready = [&] {
        ended = queue_->senders.load(std::memory_order_acquire) == 0;
        return ended || !queue_->empty();
      };
      while (queue_->message_event.await(ready, deadline)) {
        // What was sent before the last sender went is seen here, after the look at its going.
        if (const auto message = queue_->pop(buffer.size())) {
          queue_->room_event.notify_all();
          std::memcpy(buffer.data(), message->data(), message->size());
          return {Outcome::done, message->size()};
        }
        if (ended) return {Outcome::closed};
      }
      return {Outcome::timed_out};
    }

   private:
    std::shared_ptr<Queue> queue_;
  };

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto queue = std::make_shared<Queue>(options);
    Sender sender(queue);
    return {std::move(sender), Receiver(std::move(queue))};
  }
};

static_assert(Channel<GuardedQueue<StdMutex>>);

}  // namespace ipc
