// The axes of a row: who the peer is, where the two run, how long a message is, how many work.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bench/settings.hpp"
#include "ipc/channel.hpp"
#include "ipc/lock.hpp"
#include "ipc/waits.hpp"

namespace bench {

enum class PeerKind { process, thread };
enum class Cpus { same, cross, any };  // one CPU for both, one each, wherever the kernel puts them
enum class SharedData { counter, table };  // one number, or random ones of a MiB

inline constexpr std::array peer_kinds{PeerKind::process, PeerKind::thread};
inline constexpr std::array all_cpus{Cpus::same, Cpus::cross, Cpus::any};
inline constexpr std::array<std::size_t, 5> message_bytes{1, 64, 1024, 4096, 65536};
// Between them a cache line fills up: a message and what a ring keeps beside it. Only those who
// poll are fast enough to show it, and only on two CPUs.
inline constexpr std::array<std::size_t, 2> message_bytes_in_a_cache_line{32, 48};
// Beyond the caches a copy costs most.
inline constexpr std::array<std::size_t, 4> loan_bytes{64, 4096, 65536, std::size_t{1} << 20};
inline constexpr std::array<std::size_t, 3> worker_counts{1, 2, 4};
inline constexpr std::array<std::size_t, 4> pool_worker_counts{1, 2, 4, 8};

inline constexpr std::string_view to_text(PeerKind peer) {
  return peer == PeerKind::process ? "process" : "thread";
}

inline constexpr std::string_view to_text(SharedData data) {
  return data == SharedData::counter ? "counter" : "table";
}

inline constexpr std::string_view to_text(Cpus cpus) {
  return cpus == Cpus::same ? "same" : cpus == Cpus::cross ? "cross" : "any";
}

// Where those run who share data: on different CPUs, if there are.
inline constexpr Cpus worker_cpus(bool two_cpus) {
  return two_cpus ? Cpus::cross : Cpus::same;
}

// One point of the axes that every message between two has.
struct Point {
  PeerKind peer;
  Cpus cpus;
  std::size_t bytes;
};

// One point of a map over a pool.
struct PoolPoint {
  std::string_view pool;
  std::string_view task;
  std::string_view chunk;  // 1: every item is a task; auto: as many as the pool thinks best
  std::size_t workers;
};

// One point of data that goes to a task and comes back.
struct EchoPoint {
  std::string_view pool;
  std::size_t bytes;
};

inline constexpr std::array<std::size_t, 4> echo_bytes{64, 65536, std::size_t{1} << 20,
                                                       std::size_t{16} << 20};

inline constexpr std::array<std::string_view, 2> pool_chunks{"1", "auto"};

// Where one length has to stand for all: small enough to show the mechanism alone, and large enough
// to show copying alone.
inline constexpr std::size_t small_bytes = 64;
inline constexpr std::size_t large_bytes = 65536;

// The quick size has all lengths between processes on two CPUs, and few elsewhere.
inline constexpr bool takes_part(Size size, const Point& point) {
  if (size != Size::quick) return true;
  if (point.cpus == Cpus::any) return point.bytes == small_bytes;
  const bool all_lengths = point.peer == PeerKind::process && point.cpus == Cpus::cross;
  return all_lengths || point.bytes == small_bytes || point.bytes == large_bytes;
}

inline constexpr bool takes_part(Size size, std::size_t workers) {
  return size != Size::quick || workers <= 2;
}

inline constexpr bool takes_part(Size size, SharedData data) {
  return size != Size::quick || data == SharedData::counter;
}

// Chunks pay where a task costs less than to hand it over.
inline constexpr bool takes_part(const PoolPoint& point) {
  return point.chunk == "1" || point.task == "empty";
}

// What tasks that compute or sleep show is a matter of processes or threads, not of the channel or
// the lock between: in the quick size one of each stands for the others.
inline constexpr bool stands_for_others(std::string_view pool) {
  return pool == "process_spsc_ring<adaptive>" || pool == "thread_futex";
}

inline constexpr bool takes_part(Size size, const PoolPoint& point) {
  if (!takes_part(point)) return false;
  if (size != Size::quick || stands_for_others(point.pool)) return true;
  return point.task == "empty" && point.workers <= 2;
}

// How a pool's workers start, and from how large a process, is hardly a matter of its channel.
inline constexpr bool takes_part_in_lifecycle(Size size, std::string_view pool,
                                              std::string_view start, std::string_view parent) {
  if (size == Size::full || stands_for_others(pool)) return true;
  return start != "fork" && start != "spawn" && parent == "small";
}

// A dispatch is an unpinned one in the full size only: where the two run is then a lottery.
inline constexpr bool takes_part(Size size, Cpus cpus) {
  return size != Size::quick || cpus != Cpus::any;
}

// Long data is a matter of shared memory and of threads, and hardly of the channel or the lock
// between: in the quick size few stand for the others.
inline constexpr bool echoes_for_others(std::string_view pool) {
  return pool == "process_spsc_ring<adaptive>" || pool == "process_unix_stream" ||
         pool == "process_pipe" || pool == "thread_std_mutex";
}

inline constexpr bool takes_part(Size size, const EchoPoint& point) {
  constexpr std::size_t long_bytes = std::size_t{1} << 20;
  if (size == Size::smoke) return point.bytes <= long_bytes;
  return size != Size::quick || (echoes_for_others(point.pool) && point.bytes >= long_bytes);
}

inline constexpr std::string_view left_out = "the quick size leaves it out, --full measures it";

inline constexpr std::string_view full_only = "it is in the full size alone";

// Why a channel cannot be measured with this peer and length; nothing when it can.
inline std::optional<std::string> why_absent(const ipc::Traits& traits, PeerKind peer,
                                             std::size_t bytes) {
  if (peer == PeerKind::process && !traits.crosses_processes) {
    return "the mechanism works between threads only";
  }
  if (bytes > traits.message_bytes_max) {
    return "the mechanism carries messages of " + std::to_string(traits.message_bytes_max) +
           " bytes at most";
  }
  return std::nullopt;
}

// The same of a lock.
inline std::optional<std::string> why_absent(const ipc::LockTraits& traits, PeerKind peer) {
  if (peer == PeerKind::process && !traits.crosses_processes) {
    return "the lock works between the threads of one process only";
  }
  if (peer == PeerKind::thread && !traits.excludes_threads) {
    return "a process has the lock, with all its threads at once";
  }
  return std::nullopt;
}

// The same of a lock and so many workers.
inline std::optional<std::string> why_absent(const ipc::LockTraits& traits, std::size_t workers,
                                             std::size_t cpus) {
  if (traits.fair && traits.spins && workers > cpus) {
    return "its turn comes to one that has no CPU, and the others spin for a time slice each";
  }
  return std::nullopt;
}

// Looks at shared memory before it sleeps, if it ever does.
inline constexpr bool polls_first(const ipc::Traits& traits) {
  return traits.spins || traits.wait == ipc::Adaptive::name;
}

// Calls visit(Point) for each row of a channel, in the order in which tables show them.
template <class Visit>
void for_each_point(const ipc::Traits& traits, Size size, bool two_cpus, Visit&& visit) {
  const auto visit_bytes = [&](PeerKind peer, Cpus cpus, std::size_t bytes) {
    const Point point{.peer = peer, .cpus = cpus, .bytes = bytes};
    if (takes_part(size, point) && !why_absent(traits, peer, bytes)) visit(point);
  };
  for (const PeerKind peer : peer_kinds) {
    for (const Cpus cpus : all_cpus) {
      if (cpus == Cpus::cross && !two_cpus) continue;
      for (const std::size_t bytes : message_bytes) {
        visit_bytes(peer, cpus, bytes);
        if (bytes > 1 || cpus != Cpus::cross || !polls_first(traits)) continue;
        for (const std::size_t more : message_bytes_in_a_cache_line) visit_bytes(peer, cpus, more);
      }
    }
  }
}

}  // namespace bench
