// What are the limits of this machine? Nothing that crosses between two can be faster than this.
//
// Rows with a peer are there and back, like round_trip, and without framing or checks: what a
// channel costs beyond its row here is the channel's own.
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "ipc/fd.hpp"
#include "ipc/futex.hpp"
#include "ipc/mapping.hpp"

namespace bench {
namespace {

constexpr std::size_t loop_bytes = 64;
constexpr std::array<std::size_t, 5> copied_bytes{64, 1024, 4096, 65536, 1 << 20};

// ---- one thread ----

// Times `operation` in this thread, pinned.
template <class Operation>
Measured alone(const Suite& suite, Operation&& operation) {
  const Pinned pinned(suite.placement(), Cpus::same);
  return measure(suite.settings(), Batching{}, operation);
}

Measured system_call(const Suite& suite) {
  return alone(suite, [] { benchmark::DoNotOptimize(::syscall(SYS_getppid)); });
}

// A pair of clock reads: what timing one operation by itself adds to it.
Measured clock_pair(const Suite& suite) {
  return alone(suite, [] {
    benchmark::DoNotOptimize(Clock::now());
    benchmark::DoNotOptimize(Clock::now());
  });
}

Measured copy(const Suite& suite, std::size_t bytes) {
  const std::vector<std::byte> from(bytes, std::byte{1});
  std::vector<std::byte> to(bytes);
  return alone(suite, [&] {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  });
}

// A process created, ended and waited for; the parent is as small as this binary.
Measured fork_and_wait(const Suite& suite) {
  return alone(suite, [] {
    const pid_t child = ipc::check("fork", [] { return ::fork(); });
    if (child == 0) ::_exit(0);
    ipc::check("waitpid", [&] { return ::waitpid(child, nullptr, 0); });
  });
}

Measured thread_and_join(const Suite& suite) {
  return alone(suite, [] { std::thread([] {}).join(); });
}

// A page touched for the first time, and its share of giving them all back.
Measured page_fault(const Suite& suite) {
  constexpr std::size_t page_bytes = 4096;
  constexpr std::size_t all_bytes = 1024 * page_bytes;
  void* const memory =
      ::mmap(nullptr, all_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) ipc::throw_errno("mmap");
  const auto unmap = [](void* pages) { ::munmap(pages, all_bytes); };
  const std::unique_ptr<void, decltype(unmap)> owner(memory, unmap);
  ::madvise(memory, all_bytes, MADV_NOHUGEPAGE);  // EINVAL where there are none
  std::size_t at = 0;
  return alone(suite, [&] {
    if (at == all_bytes) {
      ipc::check("madvise", [&] { return ::madvise(memory, all_bytes, MADV_DONTNEED); });
      at = 0;
    }
    static_cast<volatile char*>(memory)[at] = 1;
    at += page_bytes;
  });
}

// ---- two sides and two words of shared memory ----

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

struct Spinning {
  static std::uint32_t await(const ipc::FutexWord& word, std::uint32_t last) {
    std::uint32_t value = last;
    while ((value = word.load(std::memory_order_acquire)) == last) {
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
bool read_all(const ipc::Fd& fd, std::array<std::byte, loop_bytes>& room) {
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
Measured stream_loop(const Suite& suite, PeerKind kind, Cpus cpus,
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

StreamEnds open_pipe() {
  std::array<int, 2> fds{};
  ipc::check("pipe2", [&] { return ::pipe2(fds.data(), O_CLOEXEC); });
  return {.in = ipc::Fd(fds[0]), .out = ipc::Fd(fds[1])};
}

StreamEnds open_unix_stream() {
  std::array<int, 2> fds{};
  ipc::check("socketpair",
             [&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()); });
  return {.in = ipc::Fd(fds[0]), .out = ipc::Fd(fds[1])};
}

// A queue descriptor is a file descriptor on Linux (mq_overview(7)).
ipc::Fd open_queue(char direction) {
  const std::string name = "/ipc-compare-floor-" + std::to_string(::getpid()) + direction;
  mq_attr attributes{};
  attributes.mq_maxmsg = 8;
  attributes.mq_msgsize = loop_bytes;
  ipc::Fd queue(ipc::check("mq_open", [&] {
    return ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
  }));
  ::mq_unlink(name.c_str());
  return queue;
}

Measured posix_queue_loop(const Suite& suite, PeerKind kind, Cpus cpus) {
  const ipc::Fd there = open_queue('a');
  const ipc::Fd back = open_queue('b');
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

// ---- rows ----

using WithPeer = std::function<Measured(const Suite&, PeerKind, Cpus)>;

void add_with_peer(Suite& suite, std::string_view what, std::initializer_list<Cpus> cpus,
                   std::optional<std::size_t> bytes, const WithPeer& take) {
  for (const PeerKind peer : peer_kinds) {
    for (const Cpus where : cpus) {
      if (where == Cpus::cross && !suite.placement().two_cpus()) continue;
      const RowName name = RowName("floor")
                               .with("what", what)
                               .with("peer", to_text(peer))
                               .with("cpus", to_text(where));
      suite.add(bytes ? name.with("bytes", *bytes) : name,
                [&suite, take, peer, where] { return take(suite, peer, where); });
    }
  }
}

void add_rows(Suite& suite) {
  const auto add = [&suite](std::string_view what, Measured (*take)(const Suite&)) {
    suite.add(RowName("floor").with("what", what), [&suite, take] { return take(suite); });
  };
  // A line each way is the limit of two channels; that both write one and the same is less than any
  // message can do, for it would overwrite the answer.
  add_with_peer(suite, "cache_line", {Cpus::cross}, std::nullopt, ping_pong<Spinning, Lines::two>);
  add_with_peer(suite, "cache_line_shared", {Cpus::cross}, std::nullopt,
                ping_pong<Spinning, Lines::one>);
  add("clock", clock_pair);
  add("system_call", system_call);
  add_with_peer(suite, "futex_wake", {Cpus::same, Cpus::cross, Cpus::any}, std::nullopt,
                ping_pong<Sleeping, Lines::two>);
  for (const std::size_t bytes : copied_bytes) {
    suite.add(RowName("floor").with("what", "memcpy").with("bytes", bytes),
              [&suite, bytes] { return copy(suite, bytes); });
  }
  add("page_fault", page_fault);
  add("thread", thread_and_join);
  add("fork", fork_and_wait);
  const auto everywhere = {Cpus::same, Cpus::cross, Cpus::any};
  add_with_peer(suite, "pipe_loop", everywhere, loop_bytes,
                [](const Suite& all, PeerKind peer, Cpus cpus) {
                  return stream_loop(all, peer, cpus, open_pipe);
                });
  add_with_peer(suite, "unix_stream_loop", everywhere, loop_bytes,
                [](const Suite& all, PeerKind peer, Cpus cpus) {
                  return stream_loop(all, peer, cpus, open_unix_stream);
                });
  add_with_peer(suite, "posix_queue_loop", everywhere, loop_bytes, posix_queue_loop);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
