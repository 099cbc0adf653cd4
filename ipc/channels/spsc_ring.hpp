// A lock-free ring in shared memory, from one sender to one receiver.
//
//   slots:  one cache line each   [sequence | length | payload up to 56 bytes]
//   bulk:   longer payloads, each in one piece, in the order of their slots
//
// A slot carries its own sequence number, so the receiver polls the very line that it is going to
// read, and a small message is one cache line that crosses once. The receiver publishes what it has
// consumed once in a quarter of the ring and before it waits, so in a stream that line crosses
// rarely. Indices in lines of their own cross at every message.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "ipc/channel.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/mapping.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/waits.hpp"

namespace ipc {

// Where things lie in the mapping, and the copies of it that each end keeps for itself.
template <class Place>
class SpscLayout {
 public:
  static constexpr std::size_t line = 64;
  static constexpr std::size_t inline_bytes_max = line - 2 * sizeof(std::uint32_t);

  struct alignas(line) Slot {
    using Word = std::uint64_t;

    std::atomic<std::uint32_t> sequence;  // of the message here, counted from 1; wraps
    std::uint32_t length;
    std::array<std::atomic<Word>, inline_bytes_max / sizeof(Word)> payload;

    // Word by word: a wide load of what was stored in other pieces a moment ago waits for the store
    // buffer, and who sends has often just written its message. Requires at most inline_bytes_max.
    void write(Bytes message) {
      for (std::size_t at = 0; at < message.size(); at += sizeof(Word)) {
        Word word = 0;
        copy(&word, message.data() + at, message.size() - at);
        payload[at / sizeof word].store(word, std::memory_order_relaxed);
      }
    }
    void read(Buffer message) const {
      for (std::size_t at = 0; at < message.size(); at += sizeof(Word)) {
        const Word word = payload[at / sizeof word].load(std::memory_order_relaxed);
        copy(message.data() + at, &word, message.size() - at);
      }
    }

   private:
    // A whole word is one instruction, a part of one is a call.
    static void copy(void* to, const void* from, std::size_t left) {
      if (left >= sizeof(Word)) {
        std::memcpy(to, from, sizeof(Word));
      } else {
        std::memcpy(to, from, left);
      }
    }
  };
  static_assert(sizeof(Slot) == line && std::atomic<std::uint32_t>::is_always_lock_free);

  struct Consumed {
    std::uint64_t slots = 0;
    std::uint64_t bulk = 0;  // position after the last payload that was read
  };

  struct Header {
    Header(std::uint64_t slots_count, std::uint64_t bulk_size, std::uint64_t message_size)
        : slots(slots_count), bulk_bytes(bulk_size), message_bytes(message_size) {}

    std::uint64_t slots;
    std::uint64_t bulk_bytes;
    std::uint64_t message_bytes;
    alignas(line) std::atomic<std::uint64_t> consumed_slots{0};  // written by the receiver
    std::atomic<std::uint64_t> consumed_bulk{0};
    alignas(line) Place message{};
    alignas(line) Place room{};
    alignas(line) std::atomic<bool> sender_gone{false};
    std::atomic<bool> receiver_gone{false};
  };

  explicit SpscLayout(const Options& options) {
    const std::size_t slots = std::bit_ceil(options.capacity.messages);
    std::size_t bulk = 0;
    if (options.message_bytes > inline_bytes_max) {
      // Twice the longest message: one always fits in one piece, wherever the ring stands.
      bulk = std::max(options.capacity.bytes, 2 * round_up(options.message_bytes));
      bulk = round_up(bulk);
    }
    mapping_ =
        std::make_shared<const Mapping>(Mapping::create(sizeof(Header) + slots * line + bulk));
    new (mapping_->data()) Header(slots, bulk, options.message_bytes);
    read_header();
  }
  explicit SpscLayout(Parcel& parcel)
      : mapping_(std::make_shared<const Mapping>(Mapping::attach(parcel.take_fd()))) {
    read_header();
  }
  void pack(Parcel& parcel) && { parcel.put(mapping_->fd().duplicate()); }

  [[nodiscard]] Header& header() const { return *header_; }
  [[nodiscard]] Slot& slot(std::uint64_t index) const { return slots_begin_[index & (slots_ - 1)]; }
  [[nodiscard]] std::byte* bulk(std::uint64_t position) const {
    return bulk_begin_ + position % bulk_bytes_;
  }
  [[nodiscard]] std::uint64_t slots() const { return slots_; }
  [[nodiscard]] std::uint64_t bulk_bytes() const { return bulk_bytes_; }
  [[nodiscard]] std::uint64_t message_bytes() const { return message_bytes_; }

  // Where a payload of this length lies when the last one ended at `position`: there, or at the
  // start of the ring when it would not be in one piece. Both ends compute the same.
  [[nodiscard]] std::uint64_t place(std::uint64_t position, std::size_t length) const {
    const std::uint64_t offset = position % bulk_bytes_;
    return offset + length <= bulk_bytes_ ? position : position + (bulk_bytes_ - offset);
  }
  static constexpr std::uint64_t round_up(std::uint64_t bytes) {
    return (bytes + line - 1) / line * line;
  }

 private:
  // Copies the constants before it checks and uses them: the memory is the peer's too.
  void read_header() {
    header_ = &mapping_->as<Header>();
    slots_ = header_->slots;
    bulk_bytes_ = header_->bulk_bytes;
    message_bytes_ = header_->message_bytes;
    const std::size_t room = mapping_->size() - sizeof(Header);
    if (!std::has_single_bit(slots_) || slots_ > room / line || bulk_bytes_ % line != 0 ||
        bulk_bytes_ != room - slots_ * line ||
        (message_bytes_ > inline_bytes_max && message_bytes_ > bulk_bytes_ / 2)) {
      throw std::runtime_error("spsc_ring: the header does not fit its memory");
    }
    slots_begin_ = reinterpret_cast<Slot*>(mapping_->data() + sizeof(Header));
    bulk_begin_ = mapping_->data() + sizeof(Header) + slots_ * line;
  }

  std::shared_ptr<const Mapping> mapping_;  // both ends of a process use one
  Header* header_ = nullptr;
  Slot* slots_begin_ = nullptr;
  std::byte* bulk_begin_ = nullptr;
  std::uint64_t slots_ = 0;
  std::uint64_t bulk_bytes_ = 0;
  std::uint64_t message_bytes_ = 0;
};

template <WaitStrategy W>
class SpscSender {
 public:
  using Layout = SpscLayout<typename W::Place>;

  SpscSender(Layout ring, Lifeline lifeline, W message, W room)
      : ring_(std::move(ring)),
        lifeline_(std::move(lifeline)),
        message_(std::move(message)),
        room_(std::move(room)) {}
  explicit SpscSender(Parcel& parcel)
      : ring_(parcel),
        lifeline_(parcel),
        message_(parcel),
        room_(parcel),
        next_(parcel.take<std::uint64_t>()),
        bulk_(parcel.take<std::uint64_t>()) {}

  SpscSender(SpscSender&&) noexcept = default;
  SpscSender& operator=(SpscSender&& other) noexcept { return replace(*this, std::move(other)); }
  ~SpscSender() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    ring_.header().sender_gone.store(true, std::memory_order_release);  // partner: receive
    message_.notify(ring_.header().message);
  }

  void pack(Parcel& parcel) && {
    std::move(ring_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    std::move(message_).pack(parcel);
    std::move(room_).pack(parcel);
    parcel.put(next_);
    parcel.put(bulk_);
  }

  [[nodiscard]] Capacity capacity() const {
    return {.bytes = ring_.slots() * Layout::line + ring_.bulk_bytes(), .messages = ring_.slots()};
  }

  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), ring_.message_bytes());
    auto& header = ring_.header();
    const auto closed = [&] { return header.receiver_gone.load(std::memory_order_acquire); };
    const bool in_slot = message.size() <= Layout::inline_bytes_max;
    const std::uint64_t at = in_slot ? bulk_ : ring_.place(bulk_, message.size());
    const std::uint64_t end = in_slot ? bulk_ : at + Layout::round_up(message.size());
    if (!has_room(end)) {
      const auto ready = [&] {
        // Acquire: the receiver has read what lay there before we write over it (partner: publish).
        consumed_.slots = header.consumed_slots.load(std::memory_order_acquire);
        consumed_.bulk = header.consumed_bulk.load(std::memory_order_acquire);
        return has_room(end) || closed();
      };
      if (!room_.await(header.room, ready, deadline)) {
        return lifeline_.peers_gone() ? Outcome::closed : Outcome::timed_out;
      }
    }
    if (closed()) return Outcome::closed;
    auto& slot = ring_.slot(next_);
    if (in_slot) {
      slot.write(message);
    } else {
      std::memcpy(ring_.bulk(at), message.data(), message.size());
    }
    slot.length = static_cast<std::uint32_t>(message.size());
    bulk_ = end;
    // Release: whoever sees the number sees the length and the payload (partner: receive).
    slot.sequence.store(static_cast<std::uint32_t>(++next_), std::memory_order_release);
    message_.notify(header.message);
    return Outcome::done;
  }

 private:
  [[nodiscard]] bool has_room(std::uint64_t bulk_end) const {
    return next_ - consumed_.slots < ring_.slots() &&
           bulk_end - consumed_.bulk <= ring_.bulk_bytes();
  }

  Layout ring_;
  Lifeline lifeline_;
  W message_;
  W room_;
  std::uint64_t next_ = 0;              // messages sent
  std::uint64_t bulk_ = 0;              // position after the last payload
  typename Layout::Consumed consumed_;  // what the receiver had published when we last looked
};

template <WaitStrategy W>
class SpscReceiver {
 public:
  using Layout = SpscLayout<typename W::Place>;

  SpscReceiver(Layout ring, Lifeline lifeline, W message, W room)
      : ring_(std::move(ring)),
        lifeline_(std::move(lifeline)),
        message_(std::move(message)),
        room_(std::move(room)) {}
  explicit SpscReceiver(Parcel& parcel)
      : ring_(parcel),
        lifeline_(parcel),
        message_(parcel),
        room_(parcel),
        consumed_{.slots = parcel.take<std::uint64_t>(), .bulk = parcel.take<std::uint64_t>()},
        published_(consumed_) {}

  SpscReceiver(SpscReceiver&&) noexcept = default;
  SpscReceiver& operator=(SpscReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~SpscReceiver() {
    if (!lifeline_.attached() || !lifeline_.leave()) return;
    ring_.header().receiver_gone.store(true, std::memory_order_release);  // partner: send
    room_.notify(ring_.header().room);
  }

  void pack(Parcel& parcel) && {
    std::move(ring_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    std::move(message_).pack(parcel);
    std::move(room_).pack(parcel);
    parcel.put(consumed_.slots);
    parcel.put(consumed_.bulk);
  }

  Received receive(Buffer buffer, Deadline deadline) {
    auto& header = ring_.header();
    auto& slot = ring_.slot(consumed_.slots);
    const auto expected = static_cast<std::uint32_t>(consumed_.slots + 1);
    const auto arrived = [&] {
      return slot.sequence.load(std::memory_order_acquire) == expected;  // partner: send
    };
    if (!arrived()) {
      publish();
      const auto ready = [&] {
        return arrived() || header.sender_gone.load(std::memory_order_acquire);
      };
      const bool in_time = message_.await(header.message, ready, deadline);
      if (!in_time && !lifeline_.peers_gone()) return {Outcome::timed_out};
      // What was sent before the sender went is seen now that we know that it went.
      if (!arrived()) return {Outcome::closed};
    }
    const std::size_t length =
        slot.length;  // copied once, then checked: the memory is the peer's too
    if (length == 0 || length > ring_.message_bytes()) {
      throw std::runtime_error("spsc_ring is corrupt: a slot claims " + std::to_string(length) +
                               " bytes, 1 to " + std::to_string(ring_.message_bytes()) +
                               " are possible");
    }
    check_buffer_size(length, buffer.size());
    if (length <= Layout::inline_bytes_max) {
      slot.read(buffer.first(length));
    } else {
      const std::uint64_t at = ring_.place(consumed_.bulk, length);
      std::memcpy(buffer.data(), ring_.bulk(at), length);
      consumed_.bulk = at + Layout::round_up(length);
    }
    ++consumed_.slots;
    if (consumed_.slots - published_.slots >= ring_.slots() / 4 ||
        (consumed_.bulk - published_.bulk) * 4 > ring_.bulk_bytes()) {
      publish();
    }
    return {Outcome::done, length};
  }

 private:
  void publish() {
    if (consumed_.slots == published_.slots) return;
    auto& header = ring_.header();
    // Release: our reads are done before the sender sees the room (partner: send).
    header.consumed_bulk.store(consumed_.bulk, std::memory_order_release);
    header.consumed_slots.store(consumed_.slots, std::memory_order_release);
    published_ = consumed_;
    room_.notify(header.room);
  }

  Layout ring_;
  Lifeline lifeline_;
  W message_;
  W room_;
  typename Layout::Consumed consumed_;
  typename Layout::Consumed published_;
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
    const typename Sender::Layout ring(options);
    auto lifelines = Lifeline::open();
    W message = W::open();
    W room = W::open();
    return {Sender(ring, std::move(lifelines.first), message.clone(), room.clone()),
            Receiver(ring, std::move(lifelines.second), std::move(message), std::move(room))};
  }
};

static_assert(Channel<SpscRing<Spin>> && Channel<SpscRing<EventFd>>);

}  // namespace ipc
