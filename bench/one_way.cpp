// How fast does a stream flow from one to one? The clock is the receiver's, in the steady state.
//
//      peer  == messages ==>  main
#include <optional>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "ipc/any_channel.hpp"
#include "ipc/channels.hpp"

namespace bench {
namespace {

// Messages arrive in bursts: what a sample covers must be longer than one.
constexpr Batching batching{.alone_ns = 20'000, .sample_ns = 20'000};

// What the receiver expects next.
struct Stream {
  Payload payload;
  std::vector<std::byte> room;
  std::uint64_t sequence = 0;
};

// The loops of the two sides, compiled for each mechanism: no indirect call is in what is timed.
// All around them is compiled once.
struct Loops {
  ipc::AnyChannel channel;
  std::uint64_t (*send)(ipc::AnySender&, std::size_t bytes, Check);
  void (*receive)(ipc::AnyReceiver&, Stream&, std::int64_t messages);
};

// Sends until nobody receives; returns how many.
template <ipc::Channel C>
std::uint64_t send_all(ipc::AnySender& any, std::size_t bytes, Check check) {
  auto& sender = any.as<typename C::Sender>();
  Payload payload(bytes, check);
  for (std::uint64_t sequence = 1;; ++sequence) {
    const ipc::Bytes message = payload.message(sequence);
    if (sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) return sequence;
  }
}

template <ipc::Channel C>
void receive_some(ipc::AnyReceiver& any, Stream& stream, std::int64_t messages) {
  auto& receiver = any.as<typename C::Receiver>();
  for (std::int64_t i = 0; i < messages; ++i) {
    const ipc::Received got = receiver.receive(stream.room, ipc::Deadline::never());
    if (got.outcome != ipc::Outcome::done) {
      throw std::runtime_error("the channel closed before the stream was told to end");
    }
    stream.payload.verify(ipc::Bytes(stream.room).first(got.size), ++stream.sequence);
  }
}

Measured one_way(const Suite& suite, const Loops& loops, const Point& point) {
  auto ends = loops.channel.open(ipc::Options{.message_bytes = point.bytes});
  const ipc::Capacity capacity = ends.first.capacity();
  std::optional mine(std::move(ends.second));
  std::optional theirs(std::move(ends.first));

  const Pinned pinned(suite.placement(), point.cpus);
  Peer peer = start_peer(
      point.peer, suite.placement(), point.cpus, mine, theirs,
      [&](ipc::AnySender& sender) { return loops.send(sender, point.bytes, suite.check()); });
  Stream stream{.payload = Payload(point.bytes, suite.check()),
                .room = std::vector<std::byte>(point.bytes)};
  Measured measured = measure_against(peer, [&] {
    return measure_batches(suite.settings(), batching,
                           [&](std::int64_t messages) { loops.receive(*mine, stream, messages); });
  });
  const double messages_per_second = static_cast<double>(measured.operations) / measured.seconds;
  measured.counters["messages_per_second"] = messages_per_second;
  measured.counters["bytes_per_second"] = messages_per_second * static_cast<double>(point.bytes);
  add_usage(measured.counters, measured.usage, 1);
  add_capacity(measured.counters, capacity);
  return measured;
}

void add_rows(Suite& suite) {
  ipc::AllChannels::for_each([&]<class C>() {
    const Loops loops{
        .channel = ipc::any_channel<C>(), .send = send_all<C>, .receive = receive_some<C>};
    for_each_point(C::traits, suite.settings().size, suite.placement().two_cpus(),
                   [&](const Point& point) {
                     suite.add(RowName("one_way")
                                   .with("channel", C::name)
                                   .with("peer", to_text(point.peer))
                                   .with("cpus", to_text(point.cpus))
                                   .with("bytes", point.bytes),
                               [&suite, loops, point] { return one_way(suite, loops, point); });
                   });
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
