// What a process pool's processes share beside the channels: who does what, and a bell.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <new>

#include "ipc/eventcount.hpp"
#include "ipc/mapping.hpp"
#include "ipc/waits/futex.hpp"
#include "pools/options.hpp"

namespace pools {

// Written by one worker. A line of its own, so that workers do not slow each other.
struct alignas(64) WorkerSlot {
  // The task that it began last, stored before the task runs: when the worker dies, the tasks up to
  // this one may have run and the later ones have not.
  std::atomic<std::uint64_t> started{0};
  // Pieces of answers that are in its channel or were: the pool asks the channel only for these.
  std::atomic<std::uint64_t> sent{0};
};

// All bytes zero is a valid, fresh board.
struct Board {
  // Counts what the pool has to look at. Released by whoever made it so, acquired by the pool.
  alignas(64) std::atomic<std::uint32_t> events{0};
  ipc::Eventcount bell;                  // for `events`
  std::atomic<std::uint32_t> deaths{0};  // reports that the zygote has sent
  std::array<WorkerSlot, workers_max> workers;

  static ipc::Mapping create() {
    auto memory = ipc::Mapping::create(sizeof(Board));
    new (memory.data()) Board;
    return memory;
  }

  template <ipc::WaitStrategy Wait>
  void ring() {
    events.fetch_add(1, std::memory_order_release);
    Wait().notify(bell);
  }
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

namespace detail {

template <class C>
struct WaitOf {
  using type = ipc::Futex;
};
template <class C>
requires std::derived_from<typename C::Wait, ipc::OwnsNothing<typename C::Wait>>
struct WaitOf<C> {
  using type = typename C::Wait;
};

}  // namespace detail

// How the pool waits for answers over this channel: as the channel itself waits, where it says so
// and that takes no more than memory.
template <class C>
using WaitOf = typename detail::WaitOf<C>::type;

}  // namespace pools
