// The other side of a row, as a thread or as a process, with one owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "bench/axes.hpp"
#include "bench/measure.hpp"
#include "bench/placement.hpp"
#include "bench/usage.hpp"
#include "ipc/futex.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"

namespace bench {

class Peer {
 public:
  // Does the peer's part of the row until it is told to end; returns how many operations it had.
  using Work = std::function<std::uint64_t()>;

  // Starts it, pinned, and returns when it is about to call `work`. `hang_up` makes `work` end: it
  // drops what the peer listens to; it is called by the owner's thread, possibly more than once.
  // Requires a process without other threads when the peer is a process.
  Peer(PeerKind kind, const Placement& placement, Cpus cpus, Work work,
       std::function<void()> hang_up)
      : kind_(kind), hang_up_(std::move(hang_up)), state_(ipc::Mapping::create(sizeof(State))) {
    State& state = *new (state_.data()) State;
    const auto main = [&state, &placement, cpus, work = std::move(work)] {
      run(state, placement, cpus, work);
    };
    if (kind_ == PeerKind::process) {
      process_ = ipc::Process([&main] { return main(), 0; });
    } else {
      thread_ = std::thread(main);
    }
    await_start();
  }

  Peer(Peer&& other) noexcept
      : kind_(other.kind_),
        hang_up_(std::exchange(other.hang_up_, nullptr)),
        state_(std::move(other.state_)),
        thread_(std::move(other.thread_)),
        process_(std::move(other.process_)) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() {
    if (!hang_up_) return;  // moved from, or finished
    hang_up_();
    if (thread_.joinable()) thread_.join();
  }

  // Its work threw, or its process is gone.
  [[nodiscard]] bool failed() const {
    return state().phase.load(std::memory_order_acquire) == failure ||
           (kind_ == PeerKind::process &&
            ipc::poll(process_.pidfd().get(), POLLIN, ipc::Deadline::now()));
  }

  // Tells it to end, waits for that, and returns what one of its operations cost it. Throws
  // std::runtime_error with its reason when it failed. Call once.
  Usage finish() {
    hang_up_();
    hang_up_ = nullptr;
    std::string end = "did not end";
    if (kind_ == PeerKind::thread) {
      thread_.join();
    } else if (const auto status = process_.join(ipc::Deadline::in(patience))) {
      end = status->text();
    }
    // Whatever it wrote is visible: join and waitid are behind us.
    switch (state().phase.load(std::memory_order_acquire)) {
      case done:
        return state().usage.per(
            static_cast<double>(std::max<std::uint64_t>(state().operations, 1)));
      case failure:
        throw std::runtime_error("the peer failed: " + std::string(state().error));
      default:
        throw std::runtime_error("the peer " + end);
    }
  }

 private:
  enum Phase : std::uint32_t { starting, started, done, failure };

  // Shared with it, whichever kind it is.
  struct State {
    ipc::FutexWord phase{starting};
    std::uint64_t operations = 0;
    Usage usage;
    char error[256] = {};
  };

  static constexpr std::chrono::seconds patience{30};

  [[nodiscard]] State& state() const { return state_.as<State>(); }

  static void run(State& state, const Placement& placement, Cpus cpus, const Work& work) {
    Phase end = done;
    try {
      placement.pin_peer(cpus);
      state.phase.store(started, std::memory_order_release);  // partner: await_start
      ipc::futex_wake(state.phase);
      const Usage before = Usage::of_this_thread();
      state.operations = work();
      state.usage = Usage::of_this_thread() - before;
    } catch (const std::exception& error) {
      const std::string text = error.what();
      text.copy(state.error, sizeof state.error - 1);
      end = failure;
    }
    state.phase.store(end, std::memory_order_release);  // partner: finish, failed
    ipc::futex_wake(state.phase);
  }

  void await_start() {
    const auto deadline = ipc::Deadline::in(patience);
    while (state().phase.load(std::memory_order_acquire) == starting) {
      if (!ipc::futex_wait(state().phase, starting, deadline)) {
        throw std::runtime_error("the peer did not start within " +
                                 std::to_string(patience.count()) + " seconds");
      }
    }
  }

  PeerKind kind_;
  std::function<void()> hang_up_;
  ipc::Mapping state_;
  std::thread thread_;
  ipc::Process process_;
};

// Starts a peer on its own ends. A process destroys the copies that it does not use, here as there,
// or an end would never be seen to close. `mine` and `theirs` outlive the peer; `work` gets theirs.
template <class Mine, class Theirs, class Work>
Peer start_peer(PeerKind kind, const Placement& placement, Cpus cpus, std::optional<Mine>& mine,
                std::optional<Theirs>& theirs, Work work) {
  Peer peer(
      kind, placement, cpus,
      [&mine, &theirs, kind, work]() -> std::uint64_t {
        if (kind == PeerKind::process) mine.reset();
        // Closed on every way out: whoever waits for us must learn that we are gone.
        Theirs ends_with_us = std::move(*theirs);
        theirs.reset();
        return work(ends_with_us);
      },
      [&mine] { mine.reset(); });
  if (kind == PeerKind::process) theirs.reset();
  return peer;
}

// Takes the measurement, ends the peers, and adds what an operation cost them. When both fail, a
// peer's reason is the one that is thrown: ours is most likely that it went away.
template <class Take>
Measured measure_against(std::span<Peer> peers, Take&& take) {
  const auto finish = [peers] {
    Usage usage;
    for (Peer& peer : peers) usage += peer.finish();
    return usage.per(static_cast<double>(peers.size()));  // each did its share of the operations
  };
  Measured measured;
  try {
    measured = take();
  } catch (...) {
    finish();
    throw;
  }
  measured.usage += finish();
  return measured;
}

template <class Take>
Measured measure_against(Peer& peer, Take&& take) {
  return measure_against(std::span(&peer, 1), take);
}

}  // namespace bench
