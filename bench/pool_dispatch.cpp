// What does it cost to have one task done by a pool, submit().get()?
//
//   caller  == task ===>  the only worker
//           <= result ==
//
// Beside it, in the same launch and the same place, the bare round trip of what the task goes over:
// times_round_trip is what the pool makes of it.
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/other_pools.hpp"
#include "bench/round_trips.hpp"
#include "ipc/any_channel.hpp"
#include "ipc/channels.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

// on_worker(f) has the worker call f, and returns what f does. dispatch(number) is the operation.
template <class OnWorker, class Dispatch>
Measured measure_dispatch(const Suite& suite, Cpus cpus, OnWorker&& on_worker,
                          Dispatch&& dispatch) {
  const auto take_place = [set = suite.placement().peer_set(cpus)] {
    set_affinity(set);
    return Usage::of_this_thread();
  };
  const Usage before = on_worker(take_place);
  const Pinned pinned(suite.placement(), cpus);
  std::uint64_t number = 0;
  Measured measured = measure(suite.settings(), Batching{}, [&] {
    ++number;
    if (dispatch(number) != number + 1) throw std::runtime_error("a task has a wrong result");
  });
  measured.usage += (on_worker(take_place) - before).per(static_cast<double>(number));
  measured.counters["cpu_ns_per_task"] = measured.usage.cpu_ns;
  measured.counters["switches_voluntary_per_task"] = measured.usage.switches_voluntary;
  return measured;
}

std::uint64_t next(std::uint64_t number) {
  return number + 1;
}

Measured dispatch(const Suite& suite, const pools::PoolKind& kind, Cpus cpus) {
  pools::AnyPool pool(kind, {.workers = 1});
  return measure_dispatch(
      suite, cpus, [&](const auto& function) { return pool.submit(function).get(); },
      [&](std::uint64_t number) { return pool.submit(next, number).get(); });
}

Measured dispatch(const Suite& suite, const OtherPoolKind& kind, Cpus cpus) {
  const auto pool = kind.make(1);
  return measure_dispatch(
      suite, cpus,
      [&](const auto& function) {
        Usage usage;
        pool->run([&](std::uint64_t) { return usage = function(), 0; }, 0);
        return usage;
      },
      [&](std::uint64_t number) { return pool->run(next, number); });
}

// What a pool's tasks go over, measured by itself.
struct Bare {
  ipc::AnyChannel channel;
  const RoundTripLoops* loops;
  PeerKind peer;
};

// By the pool's name. Threads have a queue under their lock: the channel of that lock is the same.
std::map<std::string, Bare> bare_round_trips() {
  std::map<std::string, Bare> all;
  ipc::AllChannels::for_each([&]<class C>() {
    const auto add = [&](const std::string& pool, PeerKind peer) {
      all.emplace(pool, Bare{ipc::any_channel<C>(), &round_trip_loops<C>, peer});
    };
    constexpr std::string_view guarded = "guarded_queue<";
    const std::string name(C::name);
    if (C::traits.crosses_processes) add("process_" + name, PeerKind::process);
    if (name.starts_with(guarded)) {
      add("thread_" + name.substr(guarded.size(), name.size() - guarded.size() - 1),
          PeerKind::thread);
    }
  });
  return all;
}

Measured beside_its_round_trip(const Suite& suite, const pools::PoolKind& kind, const Bare& bare,
                               Cpus cpus) {
  Measured measured = dispatch(suite, kind, cpus);
  const Measured round_trip = measure_round_trips(
      suite, bare.channel, *bare.loops, {.peer = bare.peer, .cpus = cpus, .bytes = small_bytes});
  measured.counters["times_round_trip"] =
      measured.samples.percentile(0.5) / round_trip.samples.percentile(0.5);
  return measured;
}

void add_rows(Suite& suite) {
  const auto for_each_place = [&](std::string_view pool, const auto& take) {
    for (const Cpus cpus : all_cpus) {
      if (cpus == Cpus::cross && !suite.placement().two_cpus()) continue;
      if (!takes_part(suite.settings().size, cpus)) continue;
      suite.add(RowName("pool_dispatch").with("pool", pool).with("cpus", to_text(cpus)),
                [take, cpus] { return take(cpus); });
    }
  };
  const auto bare = bare_round_trips();
  for (const pools::PoolKind& kind : pools::all_pools()) {
    for_each_place(kind.name, [&suite, kind, over = bare.at(kind.name)](Cpus cpus) {
      return beside_its_round_trip(suite, kind, over, cpus);
    });
  }
  // After the process pools: these may keep their threads, and a process with threads has no forks.
  for (const OtherPoolKind& kind : {boost_asio_thread_pool(), onetbb_task_arena()}) {
    if (kind.make == nullptr) continue;
    for_each_place(kind.name, [&suite, kind](Cpus cpus) { return dispatch(suite, kind, cpus); });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
