// How fast does a stream flow from one to one? The clock is the receiver's, in the steady state.
//
//      peer  == messages ==>  main
#include <optional>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "ipc/channels.hpp"

namespace bench {
namespace {

// Messages arrive in bursts: what a sample covers must be longer than one.
constexpr Batching batching{.alone_ns = 20'000, .sample_ns = 20'000};

// Sends until nobody receives; returns how many.
template <ipc::Channel C>
std::uint64_t stream(typename C::Sender& sender, std::size_t bytes, Check check) {
  Payload payload(bytes, check);
  for (std::uint64_t sequence = 1;; ++sequence) {
    const ipc::Bytes message = payload.message(sequence);
    if (sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) return sequence;
  }
}

template <ipc::Channel C>
Measured one_way(const Suite& suite, const Point& point) {
  auto ends = C::open(ipc::Options{.message_bytes = point.bytes});
  const ipc::Capacity capacity = ends.first.capacity();
  std::optional mine(std::move(ends.second));
  std::optional theirs(std::move(ends.first));

  const Pinned pinned(suite.placement(), point.cpus);
  Peer peer = start_peer(point.peer, suite.placement(), point.cpus, mine, theirs,
                         [&suite, point](typename C::Sender& sender) {
                           return stream<C>(sender, point.bytes, suite.check());
                         });
  const Payload payload(point.bytes, suite.check());
  std::vector<std::byte> room(point.bytes);
  std::uint64_t sequence = 0;
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), batching, [&] {
      const ipc::Received got = mine->receive(room, ipc::Deadline::never());
      if (got.outcome != ipc::Outcome::done) {
        throw std::runtime_error("the channel closed before the stream was told to end");
      }
      payload.verify(ipc::Bytes(room).first(got.size), ++sequence);
    });
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
    for_each_point(C::traits, suite.placement().two_cpus(), [&](const Point& point) {
      suite.add(RowName("one_way")
                    .with("channel", C::name)
                    .with("peer", to_text(point.peer))
                    .with("cpus", to_text(point.cpus))
                    .with("bytes", point.bytes),
                [&suite, point] { return one_way<C>(suite, point); });
    });
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
