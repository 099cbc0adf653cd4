// What does it cost to wait? A message there and back, when the answer takes its time: whoever
// spins pays with its CPU, whoever sleeps with being woken.
//
//      main  == there ==>  peer, which sleeps
//            <== back ===
#include <time.h>

#include <cerrno>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/round_trips.hpp"
#include "ipc/all_channels.hpp"

namespace bench {
namespace {

constexpr std::size_t bytes = 64;
constexpr long answer_us = 1000;

void sleep_before_the_answer() {
  timespec left{.tv_sec = 0, .tv_nsec = answer_us * 1000};
  while (::nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

constexpr RoundTripLoops loops{.converse =
                                   [](Ends& ends, Conversation& talk, std::int64_t round_trips) {
                                     converse(ends.sender, ends.receiver, talk, round_trips);
                                   },
                               .echo =
                                   [](Ends& ends, std::size_t message_size) {
                                     return echo(ends.sender, ends.receiver, message_size,
                                                 sleep_before_the_answer);
                                   }};

void add_rows(Suite& suite) {
  const Cpus cpus = worker_cpus(suite.placement().two_cpus());
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    if (!channel.traits.crosses_processes) continue;
    suite.add(RowName("slow_answer")
                  .with("channel", channel.name)
                  .with("peer", to_text(PeerKind::process))
                  .with("cpus", to_text(cpus))
                  .with("bytes", bytes)
                  .with("answer_us", answer_us),
              [&suite, channel, point = Point{PeerKind::process, cpus, bytes}] {
                return measure_round_trips(suite, channel, loops, point);
              });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
