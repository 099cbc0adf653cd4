// Fragmented<C>: messages longer than C carries, cut by the sender and joined by the receiver.
//
//   fragment:  [sender: 8 bytes][length of the message: 4][offset in it: 4][payload]
//
// Fragments of several senders may come interleaved, those of one sender come in order. So a
// message is joined from fragments of one sender, without a gap, and one that begins anew drops
// what its sender left unfinished at a deadline: a send that timed out has sent nothing. What a
// killed sender left is never delivered.
#pragma once

#include <sys/mman.h>
#include <sys/random.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/refinements.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct Fragment {
  std::uint64_t sender;
  std::uint32_t message_bytes;
  std::uint32_t offset;
};

// A random number that no copy shares: not a clone, and not one that fork(2) makes, because it lies
// in a page that the kernel empties in the child (madvise(2), MADV_WIPEONFORK).
class SenderId {
 public:
  SenderId() {
    void* page =
        ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw_errno("mmap");
    number_ = static_cast<std::uint64_t*>(page);
    check("madvise(MADV_WIPEONFORK)", [&] { return ::madvise(page, page_bytes, MADV_WIPEONFORK); });
  }
  SenderId(SenderId&& other) noexcept : number_(std::exchange(other.number_, nullptr)) {}
  SenderId& operator=(SenderId&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~SenderId() {
    if (number_ != nullptr) ::munmap(number_, page_bytes);
  }

  std::uint64_t get() {
    while (*number_ == 0) {
      check("getrandom", [&] { return ::getrandom(number_, sizeof *number_, 0); });
    }
    return *number_;
  }

 private:
  static constexpr std::size_t page_bytes = 4096;  // rounded up to a whole page by the kernel
  std::uint64_t* number_;
};

template <SenderEnd S>
class FragmentedSender {
 public:
  FragmentedSender(S end, std::size_t message_bytes, std::size_t fragment_bytes)
      : end_(std::move(end)), message_bytes_(message_bytes), fragment_(fragment_bytes) {}
  explicit FragmentedSender(Parcel& parcel) requires Portable<S>
      : end_(parcel),
        message_bytes_(parcel.take<std::size_t>()),
        fragment_(parcel.take<std::size_t>()) {}
  void pack(Parcel& parcel) && requires Portable<S> {
    std::move(end_).pack(parcel);
    parcel.put(message_bytes_);
    parcel.put(fragment_.size());
  }
  [[nodiscard]] FragmentedSender clone() const requires Cloneable<S> {
    return {end_.clone(), message_bytes_, fragment_.size()};
  }

  // Of messages that fit one fragment; longer ones take several places.
  [[nodiscard]] Capacity capacity() const {
    Capacity room = end_.capacity();
    if (room.messages > 0) room.bytes = room.messages * payload_bytes();
    return room;
  }

  // One deadline for all fragments.
  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), message_bytes_);
    for (std::size_t at = 0; at < message.size(); at += payload_bytes()) {
      const Bytes payload = message.subspan(at, std::min(payload_bytes(), message.size() - at));
      const Fragment header{.sender = id_.get(),
                            .message_bytes = static_cast<std::uint32_t>(message.size()),
                            .offset = static_cast<std::uint32_t>(at)};
      std::memcpy(fragment_.data(), &header, sizeof header);
      std::memcpy(fragment_.data() + sizeof header, payload.data(), payload.size());
      const Outcome outcome =
          end_.send(Bytes(fragment_).first(sizeof header + payload.size()), deadline);
      if (outcome != Outcome::done) return outcome;
    }
    return Outcome::done;
  }

 private:
  [[nodiscard]] std::size_t payload_bytes() const { return fragment_.size() - sizeof(Fragment); }

  S end_;
  SenderId id_;
  std::size_t message_bytes_;
  std::vector<std::byte> fragment_;
};

template <ReceiverEnd R>
class FragmentedReceiver {
 public:
  // Messages that are being joined at a time, of a sender each: the bound on what peers, killed or
  // hostile, can make us keep. Beyond it the one that has not grown for longest is dropped; should
  // its sender go on with it, receive says so.
  static constexpr std::size_t unfinished_max = 64;

  FragmentedReceiver(R end, std::size_t message_bytes, std::size_t fragment_bytes)
      : end_(std::move(end)), message_bytes_(message_bytes), fragment_(fragment_bytes) {}
  explicit FragmentedReceiver(Parcel& parcel) requires Portable<R>
      : end_(parcel),
        message_bytes_(parcel.take<std::size_t>()),
        fragment_(parcel.take<std::size_t>()) {}
  void pack(Parcel& parcel) && requires Portable<R> {
    if (!whole_.empty() || !unfinished_.empty()) {
      throw std::logic_error("a receiver with an undelivered message cannot be packed");
    }
    std::move(end_).pack(parcel);
    parcel.put(message_bytes_);
    parcel.put(fragment_.size());
  }

  [[nodiscard]] int descriptor() requires PollableReceiver<R> { return end_.descriptor(); }

  // Throws std::runtime_error for a fragment that cannot be: it is dropped, with what its sender
  // had begun, and the next receive goes on.
  Received receive(Buffer buffer, Deadline deadline) {
    while (whole_.empty()) {
      const Received received = end_.receive(fragment_, deadline);
      if (received.outcome != Outcome::done) return received;
      add(Bytes(fragment_).first(received.size));
    }
    check_buffer_size(whole_.size(), buffer.size());
    std::memcpy(buffer.data(), whole_.data(), whole_.size());
    return {Outcome::done, std::exchange(whole_, {}).size()};
  }

 private:
  struct Unfinished {
    std::vector<std::byte> bytes;
    std::size_t message_bytes = 0;
    std::uint64_t grown = 0;  // when, by our own count
  };

  void add(Bytes fragment) {
    Fragment header{};
    if (fragment.size() <= sizeof header) {
      throw std::runtime_error("fragmented: a fragment of " + std::to_string(fragment.size()) +
                               " bytes has no payload");
    }
    std::memcpy(&header, fragment.data(), sizeof header);
    const Bytes payload = fragment.subspan(sizeof header);
    Unfinished message = take(header);
    if (header.message_bytes > message_bytes_ || header.message_bytes != message.message_bytes ||
        header.offset != message.bytes.size() ||
        payload.size() > header.message_bytes - header.offset) {
      throw std::runtime_error(
          "fragmented: a fragment is not the next of its sender: bytes " +
          std::to_string(header.offset) + " and on, " + std::to_string(payload.size()) + " of " +
          std::to_string(header.message_bytes) + "; " + std::to_string(message.bytes.size()) +
          " of " + std::to_string(message.message_bytes) + " are here");
    }
    message.bytes.insert(message.bytes.end(), payload.begin(), payload.end());
    if (message.bytes.size() == message.message_bytes) {
      whole_ = std::move(message.bytes);
    } else {
      keep(header.sender, std::move(message));
    }
  }

  // What the sender has begun; a new message when this fragment is a first one.
  Unfinished take(const Fragment& header) {
    auto begun = unfinished_.extract(header.sender);
    if (header.offset == 0) return {.bytes = {}, .message_bytes = header.message_bytes};
    return begun ? std::move(begun.mapped()) : Unfinished{};
  }

  void keep(std::uint64_t sender, Unfinished message) {
    if (unfinished_.size() == unfinished_max) {
      unfinished_.erase(std::min_element(
          unfinished_.begin(), unfinished_.end(),
          [](const auto& a, const auto& b) { return a.second.grown < b.second.grown; }));
    }
    message.grown = ++fragments_;
    unfinished_.emplace(sender, std::move(message));
  }

  R end_;
  std::size_t message_bytes_;
  std::vector<std::byte> fragment_;
  std::vector<std::byte> whole_;                    // the next message, once it is
  std::map<std::uint64_t, Unfinished> unfinished_;  // by sender
  std::uint64_t fragments_ = 0;
};

// One receiver: it is the one who joins. A sender whose messages are longer than all the room of C
// needs a receiver that is at work before its deadline.
template <Channel C>
struct Fragmented {
  static constexpr std::string_view head = "fragmented<";
  static constexpr std::string_view tail = ">";
  static constexpr std::string_view name = JoinedName<head, C::name, tail>::value;
  static constexpr Traits traits = [] {
    Traits all = C::traits;
    all.message_bytes_max = std::size_t{1} << 30;
    all.receivers = Arity::one;
    return all;
  }();
  static_assert(C::traits.message_bytes_max > sizeof(Fragment));

  using Fragments = C;  // what carries them
  using Sender = FragmentedSender<typename C::Sender>;
  using Receiver = FragmentedReceiver<typename C::Receiver>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const std::size_t fragment_bytes =
        std::min(sizeof(Fragment) + options.message_bytes, C::traits.message_bytes_max);
    const std::size_t payload_bytes = fragment_bytes - sizeof(Fragment);
    const std::size_t fragments = (options.message_bytes + payload_bytes - 1) / payload_bytes;
    // Room for the longest message, as far as C has it, so that it can be sent without waiting.
    Options of_fragments = options;
    of_fragments.message_bytes = fragment_bytes;
    of_fragments.capacity.bytes = std::max(options.capacity.bytes, fragments * fragment_bytes);
    of_fragments.capacity.messages = std::max(options.capacity.messages, fragments);
    auto [sender, receiver] = C::open(of_fragments);
    return {Sender(std::move(sender), options.message_bytes, fragment_bytes),
            Receiver(std::move(receiver), options.message_bytes, fragment_bytes)};
  }
};

}  // namespace ipc
