// Where the slots of a ring lie that one writes and one reads, in shared memory: the memory of
// spsc_ring.
//
//   slot, short messages:  [sequence, length | payload up to 56 bytes]   one cache line
//   slot, longer ones:     [sequence, length | ... ][payload, from a line of its own on]
//
// A slot carries its own sequence number, so a short message and the news of it are one cache line
// that crosses once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"
#include "ipc/flag.hpp"
#include "ipc/layout.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// Place is where ends wait.
template <class Place>
class SpscLayout {
 public:
  static constexpr std::size_t line = 64;

  // What a slot begins with, written at once: whoever sees the number sees the length.
  struct Stamp {
    std::uint32_t sequence;  // of the message here, counted from 1; wraps
    std::uint32_t length;
  };
  using Slot = std::atomic<Stamp>;
  static_assert(Slot::is_always_lock_free && sizeof(Slot) == 8);
  static constexpr std::size_t bytes_beside_stamp = line - sizeof(Slot);

  struct Header {
    static constexpr std::string_view kind = "spsc_ring";

    Header(std::uint64_t slots_count, std::uint64_t message_size)
        : slots(slots_count), message_bytes(message_size) {}

    Layout layout{kind};
    std::uint64_t slots;
    std::uint64_t message_bytes;
    alignas(line) std::atomic<std::uint64_t> consumed{0};  // messages; written by the receiver
    alignas(line) Place message{};
    alignas(line) Place room{};
    alignas(line) Flag sender_gone;
    Flag receiver_gone;
  };

  explicit SpscLayout(const Options& options) {
    const std::size_t stride = stride_for(options.message_bytes);
    const std::size_t slots =
        std::clamp<std::size_t>(options.capacity.bytes / stride, 1, options.capacity.messages);
    mapping_ = std::make_shared<const Mapping>(Mapping::create(sizeof(Header) + slots * stride));
    new (mapping_->data()) Header(slots, options.message_bytes);
    read_header();
  }
  explicit SpscLayout(Parcel& parcel)
      : mapping_(std::make_shared<const Mapping>(Mapping::attach(parcel.take_fd()))) {
    read_header();
  }
  void pack(Parcel& parcel) && { parcel.put(mapping_->fd().duplicate()); }

  [[nodiscard]] Header& header() const { return *header_; }
  [[nodiscard]] std::uint64_t slots() const { return slots_; }
  [[nodiscard]] std::size_t bytes() const { return slots_ * stride_; }
  [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }

  // `at` is where a slot lies: place() says it of the slot after so many messages, next() of the
  // one after a slot.
  [[nodiscard]] std::size_t place(std::uint64_t messages) const {
    return messages % slots_ * stride_;
  }
  [[nodiscard]] std::size_t next(std::size_t at) const {
    return at + stride_ == bytes() ? 0 : at + stride_;
  }
  [[nodiscard]] Slot& slot(std::size_t at) const {
    return *reinterpret_cast<Slot*>(slots_begin_ + at);
  }
  [[nodiscard]] std::byte* payload(std::size_t at) const { return slots_begin_ + at + payload_at_; }

 private:
  static constexpr std::size_t payload_at(std::size_t message_bytes) {
    return message_bytes <= bytes_beside_stamp ? sizeof(Slot) : line;
  }
  static constexpr std::size_t stride_for(std::size_t message_bytes) {
    return (payload_at(message_bytes) + message_bytes + line - 1) / line * line;
  }

  // Copies the constants before it checks and uses them: the memory is the peer's too.
  void read_header() {
    header_ = &attach_header<Header>(mapping_->bytes());
    slots_ = header_->slots;
    message_bytes_ = header_->message_bytes;
    const std::size_t room = mapping_->size() - sizeof(Header);
    if (message_bytes_ == 0 || message_bytes_ > room || slots_ == 0 || slots_ > room / line ||
        slots_ * stride_for(message_bytes_) != room) {
      throw_damaged(std::to_string(slots_) + " slots for messages of " +
                    std::to_string(message_bytes_) + " bytes do not fit it");
    }
    stride_ = stride_for(message_bytes_);
    payload_at_ = payload_at(message_bytes_);
    slots_begin_ = mapping_->data() + sizeof(Header);
  }

  std::shared_ptr<const Mapping> mapping_;  // both ends of a process use one
  Header* header_ = nullptr;
  std::byte* slots_begin_ = nullptr;
  std::uint64_t slots_ = 0;
  std::size_t stride_ = 0;
  std::size_t payload_at_ = 0;
  std::size_t message_bytes_ = 0;
};

}  // namespace ipc
