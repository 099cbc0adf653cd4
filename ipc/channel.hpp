// The contract of a channel: messages, one way, from a Sender to a Receiver.
//
// - A message is 1 to Options::message_bytes bytes and keeps its borders. Nothing is lost, doubled,
//   torn or reordered: FIFO per sender.
// - Opened before fork() or before threads start. A process that does not use an end destroys its
//   copy, as with pipe(7): an end is gone when every copy of it is.
// - send and receive wait until their deadline. What is expected is a value (Outcome). What is not
//   is an exception: std::system_error with the name of the call, or std::length_error /
//   std::invalid_argument for a message that cannot be carried; then nothing was sent and the
//   channel works on.
// - A message for which the buffer is too small stays: std::length_error now, and the same message
//   for the next receive.
// - When every sender is gone, receivers get what was sent and then `closed`. When every receiver
//   is gone, senders get `closed`. If the peers were killed, an end that waits without a deadline
//   learns it only where Traits::tells_of_peer_death(); one with a deadline always does.
// - An end belongs to one thread at a time. Of an end of Arity::many, clone() makes one more.
// - Nothing is left behind, whoever is killed, except for what Traits::outlives_crash names.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "ipc/deadline.hpp"

namespace ipc {

class Parcel;

using Bytes = std::span<const std::byte>;  // one message
using Buffer = std::span<std::byte>;       // room for one

enum class Outcome : std::uint8_t { done, timed_out, closed };

struct Received {
  Outcome outcome;
  std::size_t size = 0;  // bytes of the message when done

  friend bool operator==(const Received&, const Received&) = default;
};

enum class Arity : std::uint8_t { one, many };

// The room that was asked for, or that was got.
struct Capacity {
  std::size_t bytes;
  std::size_t messages = 0;  // 0: nothing but the bytes counts
};

struct Options {
  std::size_t message_bytes = 4096;  // the longest message that will be sent
  // Every mechanism gets this room as far as it can; Sender::capacity() says what it got.
  // The messages count where a mechanism has places for them; 128 keep a ring inside the L1 cache.
  Capacity capacity{.bytes = std::size_t{256} << 10, .messages = 128};
  // The ends will be packed into a Parcel for a process that does not inherit them.
  // Mechanisms that know nothing but names then keep theirs until it is unpacked.
  bool handed_over = false;
};

// What a mechanism can do. The same constants skip tests, choose scenarios and fill tables.
struct Traits {
  std::size_t message_bytes_max;
  Arity senders = Arity::one;
  Arity receivers = Arity::one;
  bool crosses_processes = true;
  std::string_view death_notice = "";  // what tells an end that waits that its peers were killed
  bool waiter_may_be_killed = true;    // without harm to anybody else
  bool tries_without_waiting =
      true;  // with Deadline::now(), whatever a peer was doing when it stopped
  bool sent_outlives_sender = true;             // what a killed sender had sent still arrives
  bool spins = false;                           // a waiting end keeps its CPU busy
  std::string_view wait = "kernel";             // how an end waits
  std::string_view outlives_crash = "nothing";  // what is left after kill -9 of everybody
  std::string_view opened_by = "who inherits it or is handed it";  // who else may get at it

  // At once, even to an end that waits without a deadline.
  [[nodiscard]] constexpr bool tells_of_peer_death() const { return !death_notice.empty(); }
};

template <class S>
concept SenderEnd = std::movable<S> && requires(S s, Bytes message, Deadline deadline) {
  { s.send(message, deadline) } -> std::same_as<Outcome>;
  { s.capacity() } -> std::same_as<Capacity>;
};

template <class R>
concept ReceiverEnd = std::movable<R> && requires(R r, Buffer buffer, Deadline deadline) {
  { r.receive(buffer, deadline) } -> std::same_as<Received>;
};

template <class E>
concept Cloneable = requires(const E& end) {
  { end.clone() } -> std::same_as<E>;
};

// An end that can be handed to a process that did not inherit it (ipc/parcel.hpp). What is packed
// is gone here. std::logic_error for a receiver that holds messages which it has not delivered.
template <class E>
concept Portable = std::constructible_from<E, Parcel&> && requires(E end, Parcel& parcel) {
  { std::move(end).pack(parcel) } -> std::same_as<void>;
};

template <class C>
concept Channel = SenderEnd<typename C::Sender> && ReceiverEnd<typename C::Receiver> &&
    requires(const Options& options) {
  { C::name } -> std::convertible_to<std::string_view>;
  { C::traits } -> std::convertible_to<Traits>;
  { C::open(options) } -> std::same_as<std::pair<typename C::Sender, typename C::Receiver>>;
} &&(C::traits.senders == Arity::one || Cloneable<typename C::Sender>)&&(
    C::traits.receivers == Arity::one ||
    Cloneable<typename C::Receiver>)&&(!C::traits.crosses_processes ||
                                       (Portable<typename C::Sender> &&
                                        Portable<typename C::Receiver>));

}  // namespace ipc
