// What a process pool's processes share beside the channels: who does what, and a bell.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <string_view>

#include "ipc/any_channel.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/mapping.hpp"
#include "ipc/waits/adaptive.hpp"
#include "ipc/waits/spin.hpp"
#include "ipc/waits/yield.hpp"
#include "pools/options.hpp"

namespace pools {

// A worker and its pool. What one writes while another looks at it has a line of its own.
struct WorkerSlot {
  // --- Written by the worker ---

  // Pieces of answers that are in its channel or were: the pool asks the channel only for these.
  alignas(64) std::atomic<std::uint64_t> sent{0};
  // The task that it began last, stored before the task runs: when the worker dies, the tasks up to
  // this one may have run and the later ones have not. Not beside `sent`, at which the pool looks
  // all the time: this store would wait for the line, and the answer for this store.
  alignas(64) std::atomic<std::uint64_t> started{0};
  std::atomic<std::int64_t> killed_at_ns{0};  // TaskOptions::hard_timeout, on the monotonic clock
  std::atomic<bool> serves{false};            // its initializer is done
  std::atomic<bool> retires{false};           // it ends because it is to be replaced
  std::array<char, 128> start_failure{};      // what its initializer threw

  // --- Written by the pool ---

  // Pieces of tasks that are in its channel or were; what a worker waits for, whose channel must
  // not be waited in.
  alignas(64) std::atomic<std::uint64_t> given{0};
  ipc::Eventcount bell;  // for `given`

  void reset() {
    this->~WorkerSlot();
    new (this) WorkerSlot;
  }
};

// All bytes zero is a valid, fresh board.
struct Board {
  // Counts what the pool has to look at. Released by whoever made it so, acquired by the pool.
  alignas(64) std::atomic<std::uint32_t> events{0};
  ipc::Eventcount bell;  // for `events`
  // Reports that the zygote has sent. A line of its own: a pool that polls looks at it all the
  // time.
  alignas(64) std::atomic<std::uint32_t> deaths{0};
  std::array<WorkerSlot, workers_max> workers;

  static ipc::Mapping create() {
    auto memory = ipc::Mapping::create(sizeof(Board));
    new (memory.data()) Board;
    return memory;
  }

  void ring() {
    events.fetch_add(1, std::memory_order_release);
    bell.notify_all();  // a system call only when somebody sleeps
  }
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// Whether the channel's ends look into shared memory before they sleep, if they ever do.
constexpr bool polls(const ipc::Traits& channel) {
  return channel.wait == ipc::Spin::name || channel.wait == ipc::Yield::name ||
         channel.wait == ipc::Adaptive::name;
}

// Waits for the board's bell as the pool's channel waits for messages: who chose a channel that
// spins wants the answers as fast.
class BellWait {
 public:
  explicit BellWait(const ipc::Traits& channel) : wait_(channel.wait) {}

  // True once ready() is; false at the deadline.
  template <class Ready>
  bool await(ipc::Eventcount& bell, Ready&& ready, ipc::Deadline deadline) {
    if (wait_ == ipc::Spin::name) return ipc::Spin().await(bell, ready, deadline);
    if (wait_ == ipc::Yield::name) return ipc::Yield().await(bell, ready, deadline);
    if (wait_ == ipc::Adaptive::name) return adaptive_.await(bell, ready, deadline);
    return bell.await(ready, deadline);
  }

 private:
  std::string_view wait_;
  ipc::Adaptive adaptive_;
};

}  // namespace pools
