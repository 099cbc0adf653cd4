// Messages that were sent and may have to be sent again.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "ipc/channel.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// Numbered from 0; the last `places` of them are kept. In shared memory, so that whichever copy of
// a sender is the last knows what the others sent; used by one at a time.
class Outbox {
 public:
  Outbox(std::size_t places, std::size_t message_bytes)
      : mapping_(Mapping::create(sizeof(State) + places * place_bytes(message_bytes))),
        places_(places),
        message_bytes_(message_bytes) {}
  explicit Outbox(Parcel& parcel)
      : mapping_(Mapping::attach(parcel.take_fd())),
        places_(parcel.take<std::size_t>()),
        message_bytes_(parcel.take<std::size_t>()) {}
  void pack(Parcel& parcel) && {
    parcel.put(mapping_.fd().duplicate());
    parcel.put(places_);
    parcel.put(message_bytes_);
  }

  [[nodiscard]] std::uint64_t sent() const { return state().sent; }
  [[nodiscard]] std::uint64_t acknowledged() const { return state().acknowledged; }
  [[nodiscard]] std::uint64_t under_way() const { return sent() - acknowledged(); }
  [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }

  // Keeps the next message. Requires a place: under_way() < places.
  void put(Bytes message) {
    const std::uint64_t bytes = message.size();
    std::memcpy(place(sent()), &bytes, sizeof bytes);
    if (!message.empty()) std::memcpy(place(sent()) + sizeof bytes, message.data(), message.size());
    ++state().sent;
  }
  [[nodiscard]] Bytes message(std::uint64_t number) const {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, place(number), sizeof bytes);
    return {place(number) + sizeof bytes, bytes};
  }
  // The other side has this many messages. What it cannot have is not believed.
  void acknowledge(std::uint64_t count) {
    if (count > acknowledged() && count <= sent()) state().acknowledged = count;
  }

 private:
  struct State {
    std::uint64_t sent;
    std::uint64_t acknowledged;
  };

  static std::size_t place_bytes(std::size_t message_bytes) {
    return sizeof(std::uint64_t) + message_bytes;
  }
  [[nodiscard]] State& state() const { return mapping_.as<State>(); }
  [[nodiscard]] std::byte* place(std::uint64_t number) const {
    return mapping_.data() + sizeof(State) + number % places_ * place_bytes(message_bytes_);
  }

  Mapping mapping_;
  std::size_t places_;
  std::size_t message_bytes_;
};

}  // namespace ipc
