// The limits that a message is compared with: a cache line, a futex, and the system calls of a
// channel in a bare loop. Rows of `floor`, and measured again beside the round trips that they are
// the limit of: a virtual machine's CPUs are near each other now and far apart a minute later, and
// only what was measured side by side can be divided.
#pragma once

#include <fcntl.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "bench/axes.hpp"
#include "bench/kernel_copy_loops.hpp"
#include "bench/peer.hpp"
#include "bench/row.hpp"
#include "ipc/channels.hpp"
#include "ipc/fd.hpp"
#include "ipc/futex.hpp"
#include "ipc/mapping.hpp"
#include "ipc/wait.hpp"

namespace bench {

// ---- two sides and two words of shared memory ----

// What each side sends in a bare loop.
inline constexpr std::size_t loop_bytes = 64;

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

// ---- the system calls of a channel, bare ----

struct StreamEnds {
  ipc::Fd in;
  ipc::Fd out;
};

// Reads one message; false at the end of the stream.
inline bool read_all(const ipc::Fd& fd, std::array<std::byte, loop_bytes>& room) {
  std::size_t have = 0;
  while (have < room.size()) {
    const auto got = ipc::check(
        "read", [&] { return ::read(fd.get(), room.data() + have, room.size() - have); });
    if (got == 0) return false;
    have += static_cast<std::size_t>(got);
  }
  return true;
}

// `open` makes one direction: what is written to .out is read from .in.
inline Measured stream_loop(const Suite& suite, PeerKind kind, Cpus cpus,
                            const std::function<StreamEnds()>& open) {
  StreamEnds there = open();
  StreamEnds back = open();
  std::optional mine(StreamEnds{.in = std::move(back.in), .out = std::move(there.out)});
  std::optional theirs(StreamEnds{.in = std::move(there.in), .out = std::move(back.out)});
  const Pinned pinned(suite.placement(), cpus);
  Peer peer = start_peer(kind, suite.placement(), cpus, mine, theirs, [](StreamEnds& ends) {
    std::array<std::byte, loop_bytes> message{};
    std::uint64_t count = 0;
    for (; read_all(ends.in, message); ++count) {
      ipc::check("write", [&] { return ::write(ends.out.get(), message.data(), message.size()); });
    }
    return count;
  });
  std::array<std::byte, loop_bytes> message{};
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      ipc::check("write", [&] { return ::write(mine->out.get(), message.data(), message.size()); });
      if (!read_all(mine->in, message)) throw std::runtime_error("the stream ended");
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

inline StreamEnds open_pipe() {
  std::array<int, 2> fds{};
  ipc::check("pipe2", [&] { return ::pipe2(fds.data(), O_CLOEXEC); });
  return {.in = ipc::Fd(fds[0]), .out = ipc::Fd(fds[1])};
}

inline StreamEnds open_unix_stream() {
  std::array<int, 2> fds{};
  ipc::check("socketpair",
             [&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()); });
  return {.in = ipc::Fd(fds[0]), .out = ipc::Fd(fds[1])};
}

// A queue descriptor is a file descriptor on Linux (mq_overview(7)).
inline ipc::Fd open_queue() {
  mq_attr attributes{};
  attributes.mq_maxmsg = 8;
  attributes.mq_msgsize = loop_bytes;
  return ipc::PosixQueue::create(attributes);
}

inline Measured posix_queue_loop(const Suite& suite, PeerKind kind, Cpus cpus) {
  const ipc::Fd there = open_queue();
  const ipc::Fd back = open_queue();
  std::array<char, loop_bytes> room{};
  const auto send = [](const ipc::Fd& queue, const char* message, std::size_t bytes) {
    ipc::check("mq_send", [&] { return ::mq_send(queue.get(), message, bytes, 0); });
  };
  const auto receive = [](const ipc::Fd& queue, std::array<char, loop_bytes>& into) {
    return ipc::check("mq_receive",
                      [&] { return ::mq_receive(queue.get(), into.data(), into.size(), nullptr); });
  };
  const Pinned pinned(suite.placement(), cpus);
  Peer peer(
      kind, suite.placement(), cpus,
      [&]() -> std::uint64_t {
        std::array<char, loop_bytes> message{};
        std::uint64_t count = 0;
        // A queue has no end of file: an empty message is the end.
        for (; receive(there, message) > 0; ++count) send(back, message.data(), message.size());
        return count;
      },
      [&] { send(there, room.data(), 0); });
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      send(there, room.data(), room.size());
      receive(back, room);
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

// A line each way, polled by plain loads, as tables of core-to-core latency have it.
inline Measured cache_line(const Suite& suite, PeerKind kind, Cpus cpus) {
  return ping_pong<Spinning<Poll::plain>, Lines::two>(suite, kind, cpus);
}

// The system calls of the channel of this name without framing and checks; nothing for those that
// have no loop. `loop_bytes` a message.
using WithPeer = std::function<Measured(const Suite&, PeerKind, Cpus)>;

struct BareLoop {
  std::string_view channel;
  WithPeer take;
};

inline const std::array<BareLoop, 5>& bare_loops() {
  static const std::array<BareLoop, 5> loops{
      BareLoop{"pipe", [](const Suite& suite, PeerKind peer,
                          Cpus cpus) { return stream_loop(suite, peer, cpus, open_pipe); }},
      BareLoop{"unix_stream",
               [](const Suite& suite, PeerKind peer, Cpus cpus) {
                 return stream_loop(suite, peer, cpus, open_unix_stream);
               }},
      BareLoop{"posix_queue", posix_queue_loop}, BareLoop{"cma", cma_loop<loop_bytes>},
      BareLoop{"memfd", memfd_loop<loop_bytes>}};
  return loops;
}

}  // namespace bench
