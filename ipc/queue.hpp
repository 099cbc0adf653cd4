// What the message queues of the kernel and of Boost have in common, once: deadlines, the end of
// the stream, messages that do not fit.
//
// None of them says that the other side has closed. So the channel carries two flags in shared
// memory and a message of zero bytes, the end mark, which the contract never sends:
// - The last sender raises `senders_gone`, then sends the mark without waiting, to a receiver that
//   may be asleep in the queue. If the queue was full there is none: a receiver that looks at the
//   flag before each wait then drains what is left and sees the end. A receiver that gets the mark
//   passes it on to the next one.
// - The last receiver raises `receivers_gone`, then empties the queue, which frees every sender
//   that waits for room.
// A peer that was killed raises no flag; the lifeline knows, and a wait with a deadline asks it.
#pragma once

#include <array>
#include <concepts>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "ipc/backoff.hpp"
#include "ipc/channel.hpp"
#include "ipc/flag.hpp"
#include "ipc/held_message.hpp"
#include "ipc/layout.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// A queue of whole messages, as the mechanism offers it. Q::descriptor(), where it has one, can be
// polled; the others are looked at again and again when a wait has a deadline.
template <class Q>
concept MessageQueue = std::movable<Q> && std::constructible_from<Q, Parcel&> &&
    requires(Q q, const Q& shared, Bytes message, Buffer room, Parcel& parcel) {
  { q.send(message) } -> std::same_as<void>;         // waits for room
  { q.try_send(message) } -> std::same_as<bool>;     // false: full
  { q.receive(room) } -> std::same_as<std::size_t>;  // waits for a message
  { q.try_receive(room) } -> std::same_as<std::optional<std::size_t>>;
  { shared.clone() } -> std::same_as<Q>;
  { std::move(q).pack(parcel) } -> std::same_as<void>;
};

// A message of no bytes, at an address that is not null: the calls may not be given one.
inline Bytes end_mark() {
  static constexpr std::byte nowhere{};
  return {&nowhere, 0};
}

struct QueueFlags {
  static constexpr std::string_view kind = "queue_flags";

  Layout layout{kind};
  Flag senders_gone;
  Flag receivers_gone;
};

// What both ends of a queue channel hold.
template <MessageQueue Queue>
class QueueEnd {
 public:
  QueueEnd(Queue queue, Lifeline lifeline, std::shared_ptr<const Mapping> memory,
           std::size_t message_bytes)
      : queue_(std::move(queue)),
        lifeline_(std::move(lifeline)),
        memory_(std::move(memory)),
        message_bytes_(message_bytes) {}
  explicit QueueEnd(Parcel& parcel)
      : queue_(parcel),
        lifeline_(parcel),
        memory_(std::make_shared<const Mapping>(parcel)),
        message_bytes_(parcel.take<std::size_t>()) {}

  void pack(Parcel& parcel) && {
    std::move(queue_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    memory_->pack(parcel);
    parcel.put(message_bytes_);
  }

  [[nodiscard]] QueueEnd clone() const {
    return {queue_.clone(), lifeline_.clone(), memory_, message_bytes_};
  }

 protected:
  // Waits a while for a message (POLLIN) or for room (POLLOUT); false at the deadline.
  bool wait(short events, Deadline deadline, Backoff& backoff) {
    if constexpr (requires { queue_.descriptor(); }) {
      std::array fds{pollfd{.fd = queue_.descriptor(), .events = events, .revents = 0},
                     pollfd{.fd = lifeline_.peers_fd(), .events = 0, .revents = 0}};
      return poll(fds, deadline);
    } else {
      return backoff.wait(deadline);
    }
  }

  // What an end that goes does for those that stay.
  template <class F>
  static void say_goodbye(F&& f) {
    try {
      f();
    } catch (const std::system_error&) {
      // The queue was lost with a peer that was killed; whoever tries it next is told so.
    }
  }

  Queue queue_;
  Lifeline lifeline_;
  std::shared_ptr<const Mapping> memory_;  // of the flags; the ends of a process use one
  QueueFlags* flags_ = &attach_header<QueueFlags>(memory_->bytes());
  std::size_t message_bytes_;
};

template <MessageQueue Queue>
class QueueSender : public QueueEnd<Queue> {
 public:
  QueueSender(QueueEnd<Queue> end, Capacity capacity)
      : QueueEnd<Queue>(std::move(end)), capacity_(capacity) {}
  explicit QueueSender(Parcel& parcel)
      : QueueEnd<Queue>(parcel), capacity_(parcel.take<Capacity>()) {}

  QueueSender(QueueSender&&) noexcept = default;
  QueueSender& operator=(QueueSender&& other) noexcept { return replace(*this, std::move(other)); }
  ~QueueSender() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    this->flags_->senders_gone.raise();  // partner: QueueReceiver::take
    this->say_goodbye([&] { this->queue_.try_send(end_mark()); });
  }

  void pack(Parcel& parcel) && {
    std::move(static_cast<QueueEnd<Queue>&>(*this)).pack(parcel);
    parcel.put(capacity_);
  }
  [[nodiscard]] QueueSender clone() const { return {QueueEnd<Queue>::clone(), capacity_}; }
  [[nodiscard]] Capacity capacity() const { return capacity_; }

  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), this->message_bytes_);
    if (closed()) return Outcome::closed;
    if (deadline.is_never()) {
      this->queue_.send(message);  // a receiver that leaves frees us: into the room that it makes
      // It cannot know of a sender that came to wait only then: whoever was freed frees the next.
      if (closed()) drain();
      return Outcome::done;
    }
    for (Backoff backoff; !this->queue_.try_send(message);) {
      if (closed() || lifeline_.peers_gone()) return Outcome::closed;
      if (!this->wait(POLLOUT, deadline, backoff)) return Outcome::timed_out;
    }
    return Outcome::done;
  }

 private:
  using QueueEnd<Queue>::lifeline_;
  [[nodiscard]] bool closed() const { return this->flags_->receivers_gone.raised(); }
  void drain() {
    std::vector<std::byte> room(this->message_bytes_);
    while (this->queue_.try_receive(room)) {
    }
  }

  Capacity capacity_;
};

template <MessageQueue Queue>
class QueueReceiver : public QueueEnd<Queue> {
 public:
  explicit QueueReceiver(QueueEnd<Queue> end)
      : QueueEnd<Queue>(std::move(end)), held_(this->message_bytes_) {}
  explicit QueueReceiver(Parcel& parcel) : QueueReceiver(QueueEnd<Queue>(parcel)) {}
  void pack(Parcel& parcel) && {
    held_.require_empty();
    std::move(static_cast<QueueEnd<Queue>&>(*this)).pack(parcel);
  }

  QueueReceiver(QueueReceiver&&) noexcept = default;
  QueueReceiver& operator=(QueueReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~QueueReceiver() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    this->flags_->receivers_gone.raise();  // partner: QueueSender::send
    this->say_goodbye([&] {
      while (this->queue_.try_receive(held_.room())) {
      }
    });
  }

  [[nodiscard]] QueueReceiver clone() const { return QueueReceiver(QueueEnd<Queue>::clone()); }
  [[nodiscard]] int descriptor() const requires requires(const Queue& queue) { queue.descriptor(); }
  { return this->queue_.descriptor(); }

  Received receive(Buffer buffer, Deadline deadline) {
    if (held_.waits()) return held_.deliver(buffer);
    // The mechanism wants room for the longest message: the caller's if it is that large, else
    // ours.
    const bool direct = buffer.size() >= this->message_bytes_;
    const Buffer room = direct ? buffer : held_.room();
    const auto size = take(room, deadline);
    if (size.outcome != Outcome::done || direct) return size;
    held_.hold(size.size);
    return held_.deliver(buffer);
  }

 private:
  using QueueEnd<Queue>::lifeline_;

  Received take(Buffer room, Deadline deadline) {
    for (Backoff backoff;;) {
      // The flag first: what was sent before it was raised is then seen by try_receive.
      const bool ended = this->flags_->senders_gone.raised();
      if (deadline.is_never() && !ended) {
        const Received received = got(this->queue_.receive(room));
        // The queue may have been full when the last sender went, and others asleep nonetheless:
        // the one that was woken by a message leaves the mark that did not fit.
        if (this->flags_->senders_gone.raised()) this->queue_.try_send(end_mark());
        return received;
      }
      if (const auto size = this->queue_.try_receive(room)) return got(*size);
      if (ended) return {Outcome::closed};
      if (lifeline_.peers_gone()) {
        // They may have sent a last message between our look and their end.
        const auto last = this->queue_.try_receive(room);
        return last ? got(*last) : Received{Outcome::closed};
      }
      if (!this->wait(POLLIN, deadline, backoff)) return {Outcome::timed_out};
    }
  }

  Received got(std::size_t size) {
    if (size > 0) return {Outcome::done, size};
    this->queue_.try_send(end_mark());  // for the next receiver
    return {Outcome::closed};
  }

  HeldMessage held_;
};

// Opens both ends over one queue.
template <MessageQueue Queue>
std::pair<QueueSender<Queue>, QueueReceiver<Queue>> open_queue(
    Queue queue, std::pair<Lifeline, Lifeline> lifelines, std::size_t message_bytes,
    Capacity capacity) {
  const auto memory = std::make_shared<const Mapping>(Mapping::create(sizeof(QueueFlags)));
  new (memory->data()) QueueFlags;
  QueueEnd<Queue> sender(queue.clone(), std::move(lifelines.first), memory, message_bytes);
  QueueEnd<Queue> receiver(std::move(queue), std::move(lifelines.second), memory, message_bytes);
  return {QueueSender<Queue>(std::move(sender), capacity),
          QueueReceiver<Queue>(std::move(receiver))};
}

}  // namespace ipc
