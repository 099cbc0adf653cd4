// A lock-free ring in shared memory, from one sender to one receiver.
//
// The receiver polls the very slot that it is going to read (ipc/spsc_layout.hpp). It publishes
// what it has consumed once in a quarter of the ring and before it waits, so in a stream that line
// crosses rarely. Indices in lines of their own cross at every message.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/copy_message.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/refinements.hpp"
#include "ipc/spsc_layout.hpp"
#include "ipc/waits.hpp"

namespace ipc {

template <WaitStrategy W>
class SpscSender {
 public:
  using Ring = SpscLayout<typename W::Place>;

  SpscSender(Ring ring, Lifeline lifeline, W message, W room)
      : ring_(std::move(ring)),
        lifeline_(std::move(lifeline)),
        message_(std::move(message)),
        room_(std::move(room)) {}
  explicit SpscSender(Parcel& parcel)
      : ring_(parcel),
        lifeline_(parcel),
        message_(parcel),
        room_(parcel),
        sent_(parcel.take<std::uint64_t>()),
        at_(ring_.place(sent_)) {}

  SpscSender(SpscSender&&) noexcept = default;
  SpscSender& operator=(SpscSender&& other) noexcept { return replace(*this, std::move(other)); }
  ~SpscSender() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    ring_.header().sender_gone.raise();  // partner: await_message
    message_.notify(ring_.header().message);
  }

  void pack(Parcel& parcel) && {
    std::move(ring_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    std::move(message_).pack(parcel);
    std::move(room_).pack(parcel);
    parcel.put(sent_);
  }

  [[nodiscard]] Capacity capacity() const {
    return {.bytes = ring_.bytes(), .messages = ring_.slots()};
  }

  Outcome send(Bytes message, Deadline deadline) {
    const auto [outcome, room] = loan(message.size(), deadline);
    if (outcome != Outcome::done) return outcome;
    copy_message(room.data(), message.data(), message.size());
    return commit();
  }

  Loan loan(std::size_t bytes, Deadline deadline) {
    check_message_size(bytes, ring_.message_bytes());
    if (sent_ - consumed_ >= ring_.slots()) [[unlikely]] {
      if (const Outcome outcome = await_room(deadline); outcome != Outcome::done) {
        return {outcome, {}};
      }
    }
    loaned_ = static_cast<std::uint32_t>(bytes);
    return {Outcome::done, {ring_.payload(at_), bytes}};
  }

  Outcome commit() {
    auto& header = ring_.header();
    if (header.receiver_gone.raised()) return Outcome::closed;
    // Release: whoever sees the number sees the payload (partner: SpscReceiver::borrow).
    ring_.slot(at_).store({.sequence = static_cast<std::uint32_t>(++sent_), .length = loaned_},
                          std::memory_order_release);
    at_ = ring_.next(at_);
    message_.notify(header.message);
    return Outcome::done;
  }

 private:
  Outcome await_room(Deadline deadline) {
    auto& header = ring_.header();
    bool closed = false;
    const auto ready = [&] {
      // Acquire: the receiver has read what lay there before we write over it (partner: publish).
      consumed_ = header.consumed.load(std::memory_order_acquire);
      closed = header.receiver_gone.raised();
      return closed || sent_ - consumed_ != ring_.slots();
    };
    if (!room_.await(header.room, ready, deadline)) {
      return lifeline_.peers_gone(deadline) ? Outcome::closed : Outcome::timed_out;
    }
    if (closed) return Outcome::closed;
    if (sent_ - consumed_ > ring_.slots()) {
      throw_damaged("the receiver claims to have consumed " + std::to_string(consumed_) + " of " +
                    std::to_string(sent_) + " messages, in " + std::to_string(ring_.slots()) +
                    " slots");
    }
    return Outcome::done;
  }

  Ring ring_;
  Lifeline lifeline_;
  W message_;
  W room_;
  std::uint64_t sent_ = 0;      // messages
  std::size_t at_ = 0;          // the next slot
  std::uint64_t consumed_ = 0;  // messages, as the receiver had published when we last looked, if
                                // ever we did
  std::uint32_t loaned_ = 0;    // bytes
};

template <WaitStrategy W>
class SpscReceiver {
 public:
  using Ring = SpscLayout<typename W::Place>;

  SpscReceiver(Ring ring, Lifeline lifeline, W message, W room)
      : ring_(std::move(ring)),
        lifeline_(std::move(lifeline)),
        message_(std::move(message)),
        room_(std::move(room)) {}
  explicit SpscReceiver(Parcel& parcel)
      : ring_(parcel),
        lifeline_(parcel),
        message_(parcel),
        room_(parcel),
        consumed_(parcel.take<std::uint64_t>()),
        at_(ring_.place(consumed_)),
        published_(consumed_) {}

  SpscReceiver(SpscReceiver&&) noexcept = default;
  SpscReceiver& operator=(SpscReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~SpscReceiver() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    ring_.header().receiver_gone.raise();  // partner: commit
    room_.notify(ring_.header().room);
  }

  void pack(Parcel& parcel) && {
    std::move(ring_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    std::move(message_).pack(parcel);
    std::move(room_).pack(parcel);
    parcel.put(consumed_);
  }

  Received receive(Buffer buffer, Deadline deadline) {
    const auto [outcome, message] = borrow(deadline);
    if (outcome != Outcome::done) return {outcome};
    check_buffer_size(message.size(), buffer.size());
    copy_message(buffer.data(), message.data(), message.size());
    release();
    return {Outcome::done, message.size()};
  }

  Borrowed borrow(Deadline deadline) {
    const auto& slot = ring_.slot(at_);
    // Acquire: with the number the payload is visible (partner: commit).
    auto stamp = slot.load(std::memory_order_acquire);
    if (stamp.sequence == expected()) {
      streaming_ = true;
    } else {
      if (const Outcome outcome = await_message(deadline); outcome != Outcome::done) {
        return {outcome, {}};
      }
      stamp = slot.load(std::memory_order_acquire);
    }
    // Checked in our copy: the memory is the peer's too.
    if (stamp.length == 0 || stamp.length > ring_.message_bytes()) [[unlikely]] {
      throw_length(stamp.length);
    }
    return {Outcome::done, {ring_.payload(at_), stamp.length}};
  }

  void release() {
    ++consumed_;
    at_ = ring_.next(at_);
    if ((consumed_ - published_) * 4 >= ring_.slots()) publish();
  }

  // See PollableReceiver.
  [[nodiscard]] int descriptor() requires requires(W wait, typename W::Place place) {
    wait.descriptor(place);
  }
  { return message_.descriptor(ring_.header().message); }

 private:
  static constexpr bool polls = W::spins || std::same_as<W, Adaptive>;
  static constexpr int pauses_behind = 32;  // about half a microsecond, a hundred short messages

  [[nodiscard]] std::uint32_t expected() const { return static_cast<std::uint32_t>(consumed_ + 1); }

  Outcome await_message(Deadline deadline) {
    publish();
    // Who overtakes a stream lets the sender get ahead: to follow it slot by slot would cost both a
    // cache line's journey a message. Nobody pauses who waits for an answer: it is never there yet.
    if (std::exchange(streaming_, false) && polls && !deadline.is_now()) {
      for (int pause = 0; pause < pauses_behind; ++pause) relax();
    }
    auto& header = ring_.header();
    const auto& slot = ring_.slot(at_);
    const auto* payload = ring_.payload(at_);
    const auto arrived = [&] {
      __builtin_prefetch(payload);  // both lines travel together
      return slot.load(std::memory_order_acquire).sequence == expected();  // partner: commit
    };
    const auto ready = [&] { return arrived() || header.sender_gone.raised(); };
    if (!message_.await(header.message, ready, deadline) && !lifeline_.peers_gone(deadline)) {
      return Outcome::timed_out;
    }
    // What was sent before the sender went is seen now that we know that it went.
    return arrived() ? Outcome::done : Outcome::closed;
  }

  void publish() {
    if (consumed_ == published_) return;
    auto& header = ring_.header();
    // Release: our reads are done before the sender sees the room (partner: await_room).
    header.consumed.store(consumed_, std::memory_order_release);
    published_ = consumed_;
    room_.notify(header.room);
  }

  [[noreturn]] void throw_length(std::uint32_t length) const {
    throw_damaged("a slot claims " + std::to_string(length) + " bytes, 1 to " +
                  std::to_string(ring_.message_bytes()) + " are possible");
  }

  Ring ring_;
  Lifeline lifeline_;
  W message_;
  W room_;
  std::uint64_t consumed_ = 0;   // messages
  std::size_t at_ = 0;           // the next slot
  std::uint64_t published_ = 0;  // of the messages, those that the sender knows of
  bool streaming_ = false;       // the last message was there when we came
};

template <WaitStrategy W>
class SpscRing {
  static constexpr std::string_view head = "spsc_ring<";
  static constexpr std::string_view tail = ">";

 public:
  using Wait = W;
  static constexpr std::string_view name = JoinedName<head, W::name, tail>::value;
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .spins = W::spins,
      .wait = W::name,
  };

  using Sender = SpscSender<W>;
  using Receiver = SpscReceiver<W>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const typename Sender::Ring ring(options);
    auto lifelines = Lifeline::open();
    W message = W::open();
    W room = W::open();
    return {Sender(ring, std::move(lifelines.first), message.clone(), room.clone()),
            Receiver(ring, std::move(lifelines.second), std::move(message), std::move(room))};
  }
};

static_assert(LoanChannel<SpscRing<Spin>> && LoanChannel<SpscRing<Yield>> &&
              LoanChannel<SpscRing<Futex>> && LoanChannel<SpscRing<Adaptive>> &&
              LoanChannel<SpscRing<EventFd>>);
static_assert(PollableChannel<SpscRing<EventFd>> && !PollableChannel<SpscRing<Spin>>);

}  // namespace ipc
