// Messages that were sent and may have to be sent again.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"
#include "ipc/layout.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// Numbered from 0; the last `places` of them are kept. In shared memory, so that whichever copy of
// a sender is the last knows what the others sent; used by one at a time.
class Outbox {
 public:
  Outbox(std::size_t places, std::size_t message_bytes)
      : mapping_(create(bytes_for(places, message_bytes))),
        places_(places),
        message_bytes_(message_bytes) {}
  explicit Outbox(Parcel& parcel)
      : mapping_(parcel),
        places_(parcel.take<std::size_t>()),
        message_bytes_(parcel.take<std::size_t>()) {
    if (mapping_.size() != bytes_for(places_, message_bytes_)) {
      throw_damaged("it has " + std::to_string(mapping_.size()) + " bytes and should have " +
                    std::to_string(bytes_for(places_, message_bytes_)));
    }
  }
  void pack(Parcel& parcel) && {
    mapping_.pack(parcel);
    parcel.put(places_);
    parcel.put(message_bytes_);
  }

  [[nodiscard]] std::uint64_t sent() const { return state_->sent; }
  [[nodiscard]] std::uint64_t acknowledged() const { return state_->acknowledged; }
  [[nodiscard]] std::uint64_t under_way() const {
    const std::uint64_t count = sent() - acknowledged();
    if (count > places_) {
      throw_damaged(std::to_string(count) + " messages are said to be under way, " +
                    std::to_string(places_) + " are possible");
    }
    return count;
  }
  [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }

  // Keeps the next message. Requires a place: under_way() < places.
  void put(Bytes message) {
    const std::uint64_t bytes = message.size();
    std::memcpy(place(sent()), &bytes, sizeof bytes);
    if (!message.empty()) std::memcpy(place(sent()) + sizeof bytes, message.data(), message.size());
    ++state_->sent;
  }
  [[nodiscard]] Bytes message(std::uint64_t number) const {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, place(number), sizeof bytes);
    if (bytes > message_bytes_) {
      throw_damaged("a message claims " + std::to_string(bytes) + " bytes, " +
                    std::to_string(message_bytes_) + " are possible");
    }
    return {place(number) + sizeof bytes, bytes};
  }
  // The other side has this many messages. What it cannot have is not believed.
  void acknowledge(std::uint64_t count) {
    if (count > acknowledged() && count <= sent()) state_->acknowledged = count;
  }

 private:
  struct State {
    static constexpr std::string_view kind = "outbox";

    Layout layout{kind};
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
  };

  static std::size_t place_bytes(std::size_t message_bytes) {
    return sizeof(std::uint64_t) + message_bytes;
  }
  static std::size_t bytes_for(std::size_t places, std::size_t message_bytes) {
    return sizeof(State) + places * place_bytes(message_bytes);
  }
  static Mapping create(std::size_t bytes) {
    Mapping mapping = Mapping::create(bytes);
    new (mapping.data()) State;
    return mapping;
  }
  [[nodiscard]] std::byte* place(std::uint64_t number) const {
    return mapping_.data() + sizeof(State) + number % places_ * place_bytes(message_bytes_);
  }

  Mapping mapping_;
  std::size_t places_;
  std::size_t message_bytes_;
  State* state_ = &attach_header<State>(mapping_.bytes());
};

}  // namespace ipc
