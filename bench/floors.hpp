// The limits that a message is compared with: a cache line and a futex; bench/bare_loops.hpp has
// the system calls of the channels. Rows of `floor`, and measured again beside the round trips that
// they are the limit of: a virtual machine's CPUs are near each other now and far apart a minute
// later, and only what was measured side by side can be divided.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

#include "bench/axes.hpp"
#include "bench/peer.hpp"
#include "bench/row.hpp"
#include "ipc/futex.hpp"
#include "ipc/mapping.hpp"
#include "ipc/wait.hpp"

namespace bench {

// Each side writes one word and reads the other.
struct Words {
  static constexpr std::uint32_t end = UINT32_MAX;
  alignas(128) ipc::FutexWord ping{0};  // 128: a neighbouring line may be fetched along
  ipc::FutexWord pong_in_the_same_line{0};
  alignas(128) ipc::FutexWord pong_in_another_line{0};
};

enum class Lines { two, one };

// `Wait`: await(word, last) returns the first value that is not `last`, publish(word, value) shows
// one to the other side.
template <class Wait, Lines lines>
Measured ping_pong(const Suite& suite, PeerKind kind, Cpus cpus) {
  const auto mapping = ipc::Mapping::create(sizeof(Words));
  Words& words = *new (mapping.data()) Words;
  ipc::FutexWord& ping = words.ping;
  ipc::FutexWord& pong =
      lines == Lines::one ? words.pong_in_the_same_line : words.pong_in_another_line;
  const Pinned pinned(suite.placement(), cpus);
  Peer peer(
      kind, suite.placement(), cpus,
      [&]() -> std::uint64_t {
        std::uint32_t last = 0;
        for (std::uint64_t count = 0;; ++count) {
          last = Wait::await(ping, last);
          if (last == Words::end) return count;
          Wait::publish(pong, last);
        }
      },
      [&] { Wait::publish(ping, Words::end); });
  std::uint32_t number = 0;
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      const std::uint32_t last = number;
      number = number + 1 == Words::end ? 1 : number + 1;
      Wait::publish(ping, number);
      Wait::await(pong, last);
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

enum class Poll { plain, paused };

template <Poll poll>
struct Spinning {
  static std::uint32_t await(const ipc::FutexWord& word, std::uint32_t last) {
    std::uint32_t value = last;
    while ((value = word.load(std::memory_order_acquire)) == last) {
      if constexpr (poll == Poll::paused) ipc::relax();
    }
    return value;
  }
  static void publish(ipc::FutexWord& word, std::uint32_t value) {
    word.store(value, std::memory_order_release);  // partner: await
  }
};

// The same over futex(2): each side sleeps, and is woken by the other.
struct Sleeping {
  static std::uint32_t await(const ipc::FutexWord& word, std::uint32_t last) {
    std::uint32_t value = last;
    while ((value = word.load(std::memory_order_acquire)) == last) {
      ipc::futex_wait(word, last, ipc::Deadline::never());
    }
    return value;
  }
  static void publish(ipc::FutexWord& word, std::uint32_t value) {
    word.store(value, std::memory_order_release);  // partner: await
    ipc::futex_wake(word, 1);
  }
};

// A line each way, polled by plain loads, as tables of core-to-core latency have it.
inline Measured cache_line(const Suite& suite, PeerKind kind, Cpus cpus) {
  return ping_pong<Spinning<Poll::plain>, Lines::two>(suite, kind, cpus);
}

}  // namespace bench
