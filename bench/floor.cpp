// What are the limits of this machine? Nothing that crosses between two can be faster than this.
//
// Rows with a peer are there and back, like round_trip, and without framing or checks: what a
// channel costs beyond its row here is the channel's own.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "bench/axes.hpp"
#include "bench/bare_loops.hpp"
#include "bench/floors.hpp"
#include "bench/main.hpp"

namespace bench {
namespace {

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

// ---- rows ----

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
  // A line each way is what two channels cannot do without. Polled with a pause it may come sooner:
  // the line is left alone while it is written. That both sides write one and the same line is less
  // than any message can do, for the answer would overwrite it.
  add_with_peer(suite, "cache_line", {Cpus::cross}, std::nullopt, cache_line);
  add_with_peer(suite, "cache_line_paused", {Cpus::cross}, std::nullopt,
                ping_pong<Spinning<Poll::paused>, Lines::two>);
  add_with_peer(suite, "cache_line_shared", {Cpus::cross}, std::nullopt,
                ping_pong<Spinning<Poll::plain>, Lines::one>);
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
  for (const BareLoop& loop : bare_loops()) {
    add_with_peer(suite, std::string(loop.channel) + "_loop", {Cpus::same, Cpus::cross, Cpus::any},
                  loop_bytes, loop.take);
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
