// Rounds of work that several peers start together: how shared data is measured.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/measure.hpp"
#include "bench/peer.hpp"
#include "bench/row.hpp"
#include "ipc/futex.hpp"

namespace bench {

// In memory that main and its workers share, constructed there by main.
class Rounds {
 public:
  // ---- main ----

  // Lets each of the workers do `updates`.
  void start(std::uint32_t workers, std::uint64_t updates) {
    workers_ = workers;
    updates_each_ = updates;
    updates_ += workers * updates;
    working_.store(workers, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);  // partner: work; shows all of the above
    ipc::futex_wake(round_);
  }

  // Waits until all are done; what they wrote is visible then. Throws when one of them failed.
  void await(std::span<const Peer> peers) {
    for (;;) {
      const std::uint32_t working = working_.load(std::memory_order_acquire);  // partner: work
      if (working == 0) return;
      if (ipc::futex_wait(working_, working, ipc::Deadline::in(std::chrono::seconds(1)))) continue;
      for (const Peer& peer : peers) {
        if (peer.failed()) throw std::runtime_error("a worker is gone");
      }
    }
  }

  // No more rounds: work() returns.
  void close() {
    closed_.store(true, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);  // partner: work
    ipc::futex_wake(round_);
  }

  [[nodiscard]] std::uint64_t updates_of_a_round() const { return workers_ * updates_each_; }
  [[nodiscard]] std::uint64_t updates() const { return updates_; }  // of all rounds

  // ---- a worker ----

  // Calls `update` as often as each round says, until there are no more; returns how often.
  template <class Update>
  std::uint64_t work(Update&& update) {
    std::uint32_t seen = 0;
    for (std::uint64_t count = 0;;) {
      std::uint32_t round = seen;
      while ((round = round_.load(std::memory_order_acquire)) == seen) {  // partner: start, close
        ipc::futex_wait(round_, seen, ipc::Deadline::never());
      }
      if (closed_.load(std::memory_order_relaxed)) return count;
      seen = round;
      const std::uint64_t updates = updates_each_;
      for (std::uint64_t i = 0; i < updates; ++i) update();
      count += updates;
      // Our updates become visible to whoever sees the count at zero: await.
      if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) ipc::futex_wake(working_);
    }
  }

 private:
  ipc::FutexWord round_{0};
  std::atomic<bool> closed_{false};
  std::uint32_t workers_ = 0;
  std::uint64_t updates_each_ = 0;
  std::uint64_t updates_ = 0;
  alignas(64) ipc::FutexWord working_{0};  // written while others still work
};

// Measures rounds; an operation is one update, and `serve` is main's part of a round.
template <class Serve>
Measured measure_updates(const Settings& settings, Rounds& rounds, std::vector<Peer>& peers,
                         Serve&& serve) {
  const auto workers = static_cast<std::uint32_t>(peers.size());
  Measured measured = measure_against(std::span(peers), [&] {
    return measure_rounds(
        settings, workers,
        [&](std::int64_t updates) {
          rounds.start(workers, static_cast<std::uint64_t>(updates));
          serve();
          rounds.await(peers);
        },
        [] {});
  });
  measured.counters["updates_per_second"] =
      static_cast<double>(measured.operations) / measured.seconds;
  add_usage(measured.counters, measured.usage, 1);
  return measured;
}

}  // namespace bench
