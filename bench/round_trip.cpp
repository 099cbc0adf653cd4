// What does a message there and back cost?
//
//      main  == there ==>  peer
//            <== back ===
#include <string>
#include <string_view>

#include "bench/axes.hpp"
#include "bench/bare_loops.hpp"
#include "bench/floors.hpp"
#include "bench/main.hpp"
#include "bench/round_trips.hpp"
#include "ipc/any_channel.hpp"
#include "ipc/channels.hpp"

namespace bench {
namespace {

constexpr std::size_t cache_line_bytes = 64;  // longer messages cannot cross in one

// How many times its limits the row takes, by limits that are measured right beside it.
Measured beside_its_floors(const Suite& suite, const ipc::AnyChannel& channel,
                           const RoundTripLoops& loops, const Point& point) {
  Measured measured = measure_round_trips(suite, channel, loops, point);
  const auto divide_by = [&](std::string_view counter, const Measured& floor) {
    measured.counters[std::string(counter)] =
        measured.samples.percentile(0.5) / floor.samples.percentile(0.5);
  };
  if (point.cpus == Cpus::cross && point.bytes <= cache_line_bytes) {
    divide_by("times_cache_line", cache_line(suite, point.peer, point.cpus));
  }
  for (const BareLoop& loop : bare_loops()) {
    if (loop.channel != channel.name || point.bytes != loop_bytes) continue;
    divide_by("times_bare_loop", loop.take(suite, point.peer, point.cpus));
  }
  return measured;
}

void add_rows(Suite& suite) {
  ipc::AllChannels::for_each([&]<class C>() {
    const ipc::AnyChannel channel = ipc::any_channel<C>();
    for_each_point(
        C::traits, suite.settings().size, suite.placement().two_cpus(), [&](const Point& point) {
          suite.add(RowName("round_trip")
                        .with("channel", C::name)
                        .with("peer", to_text(point.peer))
                        .with("cpus", to_text(point.cpus))
                        .with("bytes", point.bytes),
                    [&suite, channel, point] {
                      return beside_its_floors(suite, channel, round_trip_loops<C>, point);
                    });
        });
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
