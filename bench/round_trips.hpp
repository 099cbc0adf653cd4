// A message there and back: what the scenarios that measure it have in common.
//
//      main  == there ==>  peer
//            <== back ===
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/axes.hpp"
#include "bench/peer.hpp"
#include "bench/row.hpp"
#include "ipc/any_channel.hpp"

namespace bench {

inline constexpr double messages_per_round_trip = 2;

struct Ends {
  ipc::AnySender sender;
  ipc::AnyReceiver receiver;
};

// What we say, and how we know that the answer is right.
struct Conversation {
  Payload payload;
  std::vector<std::byte> room;
  std::uint64_t sequence = 0;
};

// Of the mechanism's own ends or of erased ones.
template <ipc::SenderEnd Sender, ipc::ReceiverEnd Receiver>
void converse(Sender& sender, Receiver& receiver, Conversation& talk, std::int64_t round_trips) {
  for (std::int64_t i = 0; i < round_trips; ++i) {
    const ipc::Bytes message = talk.payload.message(++talk.sequence);
    if (sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) {
      throw std::runtime_error("the channel closed while a message was sent");
    }
    const ipc::Received got = receiver.receive(talk.room, ipc::Deadline::never());
    if (got.outcome != ipc::Outcome::done) {
      throw std::runtime_error("the channel closed before a message came back");
    }
    talk.payload.verify(ipc::Bytes(talk.room).first(got.size), talk.sequence);
  }
}

// Sends each message back, after a call of `think`, until there are no more; returns how many.
template <ipc::SenderEnd Sender, ipc::ReceiverEnd Receiver, class Think>
std::uint64_t echo(Sender& sender, Receiver& receiver, std::size_t bytes, Think&& think) {
  std::vector<std::byte> room(bytes);
  for (std::uint64_t count = 0;; ++count) {
    const ipc::Received got = receiver.receive(room, ipc::Deadline::never());
    if (got.outcome != ipc::Outcome::done) return count;
    think();
    const auto message = ipc::Bytes(room).first(got.size);
    if (sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) return count;
  }
}

// What the two sides do.
struct RoundTripLoops {
  void (*converse)(Ends&, Conversation&, std::int64_t round_trips);
  std::uint64_t (*echo)(Ends&, std::size_t bytes);
};

// The loops of the two sides, compiled for each mechanism: no indirect call is in what is timed.
// All around them is compiled once.
template <ipc::Channel C>
inline constexpr RoundTripLoops round_trip_loops{
    .converse =
        [](Ends& ends, Conversation& talk, std::int64_t round_trips) {
          converse(ends.sender.as<typename C::Sender>(), ends.receiver.as<typename C::Receiver>(),
                   talk, round_trips);
        },
    .echo =
        [](Ends& ends, std::size_t bytes) {
          return echo(ends.sender.as<typename C::Sender>(),
                      ends.receiver.as<typename C::Receiver>(), bytes, [] {});
        }};

inline Measured measure_round_trips(const Suite& suite, const ipc::AnyChannel& channel,
                                    const RoundTripLoops& loops, const Point& point) {
  const ipc::Options options{.message_bytes = point.bytes};
  auto there = channel.open(options);
  auto back = channel.open(options);
  const ipc::Capacity capacity = there.first.capacity();
  std::optional<Ends> mine(Ends{std::move(there.first), std::move(back.second)});
  std::optional<Ends> theirs(Ends{std::move(back.first), std::move(there.second)});

  const Pinned pinned(suite.placement(), point.cpus);
  Peer peer = start_peer(point.peer, suite.placement(), point.cpus, mine, theirs,
                         [&](Ends& ends) { return loops.echo(ends, point.bytes); });
  Conversation talk{.payload = Payload(point.bytes, suite.check()),
                    .room = std::vector<std::byte>(point.bytes)};
  Measured measured = measure_against(peer, [&] {
    return measure_batches(suite.settings(), Batching{}, [&](std::int64_t round_trips) {
      loops.converse(*mine, talk, round_trips);
    });
  });
  add_usage(measured.counters, measured.usage, messages_per_round_trip);
  add_capacity(measured.counters, capacity);
  return measured;
}

}  // namespace bench
