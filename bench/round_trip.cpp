// What does a message there and back cost?
//
//      main  == there ==>  peer
//            <== back ===
#include <optional>
#include <string>
#include <string_view>

#include "bench/axes.hpp"
#include "bench/floors.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "ipc/channels.hpp"

namespace bench {
namespace {

constexpr double messages_per_round_trip = 2;

template <ipc::Channel C>
struct Ends {
  typename C::Sender sender;
  typename C::Receiver receiver;
};

// Sends each message back until there are no more; returns the number of round trips.
template <ipc::Channel C>
std::uint64_t echo(Ends<C>& ends, std::size_t bytes) {
  std::vector<std::byte> room(bytes);
  for (std::uint64_t count = 0;; ++count) {
    const ipc::Received got = ends.receiver.receive(room, ipc::Deadline::never());
    if (got.outcome != ipc::Outcome::done) return count;
    const auto message = ipc::Bytes(room).first(got.size);
    if (ends.sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) return count;
  }
}

template <ipc::Channel C>
Measured round_trip(const Suite& suite, const Point& point) {
  const ipc::Options options{.message_bytes = point.bytes};
  auto there = C::open(options);
  auto back = C::open(options);
  const ipc::Capacity capacity = there.first.capacity();
  std::optional<Ends<C>> mine(Ends<C>{std::move(there.first), std::move(back.second)});
  std::optional<Ends<C>> theirs(Ends<C>{std::move(back.first), std::move(there.second)});

  const Pinned pinned(suite.placement(), point.cpus);
  Peer peer = start_peer(point.peer, suite.placement(), point.cpus, mine, theirs,
                         [&](Ends<C>& ends) { return echo<C>(ends, point.bytes); });
  Payload payload(point.bytes, suite.check());
  std::vector<std::byte> room(point.bytes);
  std::uint64_t sequence = 0;
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      const ipc::Bytes message = payload.message(++sequence);
      if (mine->sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) {
        throw std::runtime_error("the channel closed while a message was sent");
      }
      const ipc::Received got = mine->receiver.receive(room, ipc::Deadline::never());
      if (got.outcome != ipc::Outcome::done) {
        throw std::runtime_error("the channel closed before a message came back");
      }
      payload.verify(ipc::Bytes(room).first(got.size), sequence);
    });
  });
  add_usage(measured.counters, measured.usage, messages_per_round_trip);
  add_capacity(measured.counters, capacity);
  return measured;
}

// How many times its limits the row takes, by limits that are measured right beside it.
template <ipc::Channel C>
Measured beside_its_floors(const Suite& suite, const Point& point) {
  Measured measured = round_trip<C>(suite, point);
  const auto divide_by = [&](std::string_view counter, const Measured& floor) {
    measured.counters[std::string(counter)] =
        measured.samples.percentile(0.5) / floor.samples.percentile(0.5);
  };
  if (point.cpus == Cpus::cross) {
    divide_by("times_cache_line", cache_line(suite, point.peer, point.cpus));
  }
  for (const BareLoop& loop : bare_loops()) {
    if (loop.channel != C::name || point.bytes != loop_bytes) continue;
    divide_by("times_bare_loop", loop.take(suite, point.peer, point.cpus));
  }
  return measured;
}

void add_rows(Suite& suite) {
  ipc::AllChannels::for_each([&]<class C>() {
    for_each_point(C::traits, suite.placement().two_cpus(), [&](const Point& point) {
      suite.add(RowName("round_trip")
                    .with("channel", C::name)
                    .with("peer", to_text(point.peer))
                    .with("cpus", to_text(point.cpus))
                    .with("bytes", point.bytes),
                [&suite, point] { return beside_its_floors<C>(suite, point); });
    });
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
