// What does waking the other side cost, without a message?
//
//      main  -- there -->  peer
//            <-- back ---
#include <atomic>
#include <optional>

#include "bench/axes.hpp"
#include "bench/floors.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "ipc/mapping.hpp"
#include "ipc/notifiers.hpp"

namespace bench {
namespace {

constexpr double notifications_per_round_trip = 2;

template <ipc::Notifier N>
struct Ends {
  typename N::Bell bell;
  typename N::Waiter waiter;
};

template <ipc::Notifier N>
Measured notify(const Suite& suite, PeerKind kind, Cpus cpus) {
  // A notifier has no end: the last notification finds this raised.
  const auto mapping = ipc::Mapping::create(sizeof(std::atomic<bool>));
  auto& over = *new (mapping.data()) std::atomic<bool>(false);
  auto [there, at_peer] = N::open();
  auto [back, at_main] = N::open();
  std::optional<Ends<N>> mine(Ends<N>{std::move(there), std::move(at_main)});
  std::optional<Ends<N>> theirs(Ends<N>{std::move(back), std::move(at_peer)});

  const Pinned pinned(suite.placement(), cpus);
  Peer peer(
      kind, suite.placement(), cpus,
      [&]() -> std::uint64_t {
        if (kind == PeerKind::process) mine.reset();
        for (std::uint64_t count = 0;; ++count) {
          theirs->waiter.wait(ipc::Deadline::never());
          if (over.load(std::memory_order_relaxed)) return count;
          theirs->bell.notify();
        }
      },
      [&] {
        over.store(true, std::memory_order_relaxed);  // visible to who was told
        mine->bell.notify();
      });
  if (kind == PeerKind::process) theirs.reset();
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      mine->bell.notify();
      mine->waiter.wait(ipc::Deadline::never());
    });
  });
  add_usage(measured.counters, measured.usage, notifications_per_round_trip);
  return measured;
}

// How many times its limit the row takes: two bare futexes, measured right beside it.
template <ipc::Notifier N>
Measured beside_its_floor(const Suite& suite, PeerKind kind, Cpus cpus) {
  Measured measured = notify<N>(suite, kind, cpus);
  const Measured floor = ping_pong<Sleeping, Lines::two>(suite, kind, cpus);
  measured.counters["times_futex_wake"] =
      measured.samples.percentile(0.5) / floor.samples.percentile(0.5);
  return measured;
}

void add_rows(Suite& suite) {
  ipc::AllNotifiers::for_each([&]<class N>() {
    for (const PeerKind peer : peer_kinds) {
      for (const Cpus cpus : all_cpus) {
        if (cpus == Cpus::cross && !suite.placement().two_cpus()) continue;
        suite.add(RowName("notify")
                      .with("notifier", N::name)
                      .with("peer", to_text(peer))
                      .with("cpus", to_text(cpus)),
                  [&suite, peer, cpus] { return beside_its_floor<N>(suite, peer, cpus); });
      }
    }
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
