#include "pools/zygote.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "ipc/parcel.hpp"
#include "ipc/socket_pair.hpp"
#include "ipc/syscall.hpp"
#include "pools/errors.hpp"
#include "pools/nesting.hpp"
#include "pools/program_threads.hpp"
#include "pools/zygote_loop.hpp"

namespace pools {

namespace {

constexpr std::size_t control_bytes = std::size_t{64} << 10;

// What makes the program serve when it is started anew, and the descriptor of its socket then.
constexpr std::string_view spawned_flag = "--pools-zygote";
constexpr int spawned_control = 3;

// Whether main() has called serve_if_spawned(): without that, the program started anew would do
// all its work once more.
bool serves_if_spawned = false;

// A spawned zygote's first parcel: what a forked one has inherited.
struct Origin {
  pid_t owner;
  std::size_t nesting_depth;
};

// The life of a zygote, until its owner's end.
void serve(ipc::Fd control, pid_t owner) {
  // The thread that made us may end before its process does: what counts is the process.
  ::prctl(PR_SET_PDEATHSIG, 0);
  ipc::Fd owner_pidfd(static_cast<int>(
      ipc::check("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, owner, 0); })));
  if (::getppid() != owner) return;  // it died, and its number may be another's by now
  ::prctl(PR_SET_NAME, "pool-zygote");
  ::signal(SIGINT, SIG_IGN);   // Ctrl-C is for the owner to handle
  ::signal(SIGCHLD, SIG_DFL);  // inherited as ignored, it would hide how workers end
  detail::ZygoteLoop(std::move(control), std::move(owner_pidfd)).run();
}

void check_nesting() {
  if (nesting_depth < nesting_max) return;
  throw std::logic_error("this process is a worker of a pool inside " +
                         std::to_string(nesting_depth) + " pools, each made by a worker of the " +
                         "one before: that is the limit (pools::nesting_max); give the work to "
                         "the pools that there are");
}

// posix_spawn(3) of this program, with one descriptor beside the standard ones.
pid_t spawn_self(const ipc::Fd& control) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, control.get(), spawned_control);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, spawned_control + 1);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  std::string flag(spawned_flag);
  const std::array<char*, 3> arguments{::program_invocation_name, flag.data(), nullptr};
  pid_t child = -1;
  const int error =
      ::posix_spawn(&child, "/proc/self/exe", &actions, &attributes, arguments.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) ipc::throw_errno("posix_spawn(/proc/self/exe)", error);
  return child;
}

}  // namespace

Zygote Zygote::fork(bool with_threads) {
  check_nesting();
  const std::size_t threads = with_threads ? 1 : program_threads();
  if (threads > 1) {
    throw std::logic_error("a zygote is forked before the process has threads, this one has " +
                           std::to_string(threads) +
                           ": make a pools::Zygote earlier and name it in Options::zygote, or take "
                           "StartMethod::spawn, or see Options::fork_with_threads");
  }
  auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, control_bytes);
  const pid_t owner = ::getpid();
  ipc::Process process([&] {
    sockets.sender.reset();
    serve(std::move(sockets.receiver), owner);
    return 0;
  });
  return {std::move(process), std::move(sockets.sender)};
}

Zygote Zygote::spawn() {
  check_nesting();
  if (!serves_if_spawned) {
    throw std::logic_error(
        "StartMethod::spawn starts this program anew, and the program does not expect it: call "
        "pools::serve_if_spawned(argc, argv) first thing in main()");
  }
  auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, control_bytes);
  Zygote zygote(ipc::Process::adopt(spawn_self(sockets.receiver)), std::move(sockets.sender));
  ipc::Parcel origin;
  origin.put(Origin{.owner = ::getpid(), .nesting_depth = nesting_depth});
  origin.send(zygote.control_);  // if it is gone already, the first pool says so
  return zygote;
}

Zygote::~Zygote() {
  constexpr std::chrono::seconds patience{5};
  if (process_.pid() < 0) return;
  if (!owner_.is_this()) {
    process_.disown();
    return;
  }
  ::shutdown(control_.get(), SHUT_RDWR);       // which tells it, whoever has a copy of the socket
  process_.join(ipc::Deadline::in(patience));  // or else ~Process kills it: it was stopped, say
}

ipc::Fd Zygote::connect(const ipc::Mapping& board) const {
  owner_.check("this pools::Zygote");
  auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, std::size_t{256} << 10);
  ipc::Parcel parcel;
  parcel.put(std::move(sockets.receiver));
  board.pack(parcel);
  if (!parcel.send(control_)) throw PoolBroken("its zygote is gone");
  return std::move(sockets.sender);
}

void serve_if_spawned(int argc, char** argv) {
  serves_if_spawned = true;
  if (argc != 2 || argv[1] != spawned_flag) return;
  int code = 1;
  try {
    ipc::Fd control(spawned_control);
    ipc::check("fcntl", [&] { return ::fcntl(control.get(), F_SETFD, FD_CLOEXEC); });
    if (auto origin = ipc::Parcel::receive(control)) {
      const auto [owner, depth] = origin->take<Origin>();
      nesting_depth = depth;
      serve(std::move(control), owner);
    }
    code = 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s %s: %s\n", argv[0], argv[1], error.what());
  }
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace pools
