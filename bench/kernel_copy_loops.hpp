// The system calls of the channels that let the kernel copy, bare: cma and memfd. Part of
// bare_loops.hpp.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>

#include "bench/axes.hpp"
#include "bench/peer.hpp"
#include "bench/placement.hpp"
#include "bench/row.hpp"
#include "ipc/fd.hpp"
#include "ipc/futex.hpp"
#include "ipc/mapping.hpp"
#include "ipc/passed_descriptors.hpp"
#include "ipc/socket_pair.hpp"

namespace bench {

template <std::size_t bytes>
using Letter = std::array<std::byte, bytes>;

// ---- cma: a futex says that there is something to read, process_vm_readv(2) reads it ----

// One direction, in shared memory.
struct RemoteMessage {
  static constexpr std::uint32_t end = UINT32_MAX;
  alignas(128) ipc::FutexWord number{0};
  pid_t pid = 0;                  // of who sends
  const void* address = nullptr;  // there

  void publish(std::uint32_t value) {
    number.store(value, std::memory_order_release);  // partner: take
    ipc::futex_wake(number, 1);
  }
  // The number of a message other than `last`, which is in `room` then.
  std::uint32_t take(std::uint32_t last, std::span<std::byte> room) const {
    std::uint32_t value = last;
    while ((value = number.load(std::memory_order_acquire)) == last) {
      ipc::futex_wait(number, last, ipc::Deadline::never());
    }
    if (value == end) return value;
    const iovec local{.iov_base = room.data(), .iov_len = room.size()};
    const iovec remote{.iov_base = const_cast<void*>(address), .iov_len = room.size()};
    ipc::check("process_vm_readv",
               [&] { return ::process_vm_readv(pid, &local, 1, &remote, 1, 0); });
    return value;
  }
};

template <std::size_t bytes>
Measured cma_loop(const Suite& suite, PeerKind kind, Cpus cpus) {
  const auto mapping = ipc::Mapping::create(2 * sizeof(RemoteMessage));
  auto* const there = new (mapping.data()) RemoteMessage;
  auto* const back = new (mapping.data() + sizeof *there) RemoteMessage;
  Letter<bytes> message{};
  Letter<bytes> room{};
  there->pid = ::getpid();
  there->address = message.data();
  ::prctl(PR_SET_PTRACER, static_cast<unsigned long>(::getpid()), 0, 0, 0);  // for Yama
  const Pinned pinned(suite.placement(), cpus);
  Peer peer(
      kind, suite.placement(), cpus,
      [&]() -> std::uint64_t {
        Letter<bytes> answer{};
        back->pid = ::getpid();
        back->address = answer.data();
        std::uint32_t last = 0;
        for (std::uint64_t count = 0;; ++count) {
          last = there->take(last, answer);
          if (last == RemoteMessage::end) return count;
          back->publish(last);
        }
      },
      [&] { there->publish(RemoteMessage::end); });
  std::uint32_t number = 0;
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      const std::uint32_t last = number;
      number = number + 1 == RemoteMessage::end ? 1 : number + 1;
      there->publish(number);
      back->take(last, room);
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

// ---- memfd: made, filled, sealed and passed; looked at, read and closed ----

template <std::size_t bytes>
void send_memfd(const ipc::Fd& socket, const Letter<bytes>& message) {
  const ipc::Fd memory(ipc::check(
      "memfd_create", [] { return ::memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING); }));
  ipc::check("write", [&] { return ::write(memory.get(), message.data(), message.size()); });
  constexpr int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  ipc::check("fcntl(F_ADD_SEALS)", [&] { return ::fcntl(memory.get(), F_ADD_SEALS, seals); });
  ipc::check("sendmsg", [&] {
    return ipc::send_with_descriptors(socket, std::span(message).first(1), {&memory, 1}, 0);
  });
}

// False at the end of the stream.
template <std::size_t bytes>
bool receive_memfd(const ipc::Fd& socket, Letter<bytes>& room) {
  ipc::Fd memory;
  const auto got = ipc::receive_with_descriptors(socket, std::span(room).first(1), 0,
                                                 [&](ipc::Fd fd) { memory = std::move(fd); });
  if (got.bytes <= 0) return false;
  struct stat status {};
  ipc::check("fcntl(F_GET_SEALS)", [&] { return ::fcntl(memory.get(), F_GET_SEALS); });
  ipc::check("fstat", [&] { return ::fstat(memory.get(), &status); });
  ipc::check("pread", [&] { return ::pread(memory.get(), room.data(), room.size(), 0); });
  return true;
}

template <std::size_t bytes>
Measured memfd_loop(const Suite& suite, PeerKind kind, Cpus cpus) {
  auto pair = ipc::SocketPair::open(SOCK_SEQPACKET, 4096);  // each end sends and receives
  std::optional mine(std::move(pair.sender));
  std::optional theirs(std::move(pair.receiver));
  const Pinned pinned(suite.placement(), cpus);
  Peer peer = start_peer(kind, suite.placement(), cpus, mine, theirs, [](const ipc::Fd& socket) {
    Letter<bytes> message{};
    std::uint64_t count = 0;
    for (; receive_memfd(socket, message); ++count) send_memfd(socket, message);
    return count;
  });
  Letter<bytes> message{};
  Measured measured = measure_against(peer, [&] {
    return measure(suite.settings(), Batching{}, [&] {
      send_memfd(*mine, message);
      if (!receive_memfd(*mine, message)) throw std::runtime_error("the stream ended");
    });
  });
  add_usage(measured.counters, measured.usage, 2);
  return measured;
}

}  // namespace bench
