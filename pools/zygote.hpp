// The process that forks the workers of process pools. It has one thread and is small, so that a
// worker can be had at any time, whatever has become of the process that has the pools.
//
//   int main(int argc, char** argv) {
//     pools::Zygote zygote;                                       // early
//     ...
//     pools::ProcessPool<ipc::Pipe> pool({.zygote = &zygote});    // at any time, several of them
//
// Everybody dies with the process that made it, however that ends: the zygote watches it through a
// pidfd, and the kernel kills the workers with the zygote (prctl(2), PR_SET_PDEATHSIG).
// Workers are the zygote's children and not the pool's (clone(2), CLONE_PARENT): that signal would
// then follow the thread that made the zygote, and glibc's fork(3), which CLONE_PARENT bypasses,
// renews the thread id and the list of robust mutexes. Pid and exit status come with a report.
#pragma once

#include <string>

#include "ipc/fd.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"
#include "pools/own_process.hpp"

namespace pools {

// May be used by many threads at once, in the process that made it.
class Zygote {
 public:
  // A copy of the process as it is now. Requires that it has one thread, std::logic_error
  // otherwise; in a copy of one that has more, a lock that was held then is held for ever.
  Zygote() : Zygote(fork(false)) {}
  static Zygote fork(bool with_threads);

  // The program started anew: it inherits standard input, output and error and nothing else.
  // Requires that main() has called serve_if_spawned(), std::logic_error otherwise.
  static Zygote spawn();

  Zygote(Zygote&&) = default;
  // The pools that use it are broken then, and their workers are killed.
  ~Zygote();

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] const ipc::Fd& pidfd() const { return process_.pidfd(); }

  // A socket for a pool's orders. Throws PoolBroken when the zygote is gone, and WrongProcess.
  [[nodiscard]] ipc::Fd connect(const ipc::Mapping& board) const;

 private:
  Zygote(ipc::Process process, ipc::Fd control)
      : process_(std::move(process)), control_(std::move(control)) {}

  OwnProcess owner_;
  ipc::Process process_;
  ipc::Fd control_;
};

// For programs with pools of StartMethod::spawn, whose zygotes are the program started anew: the
// first thing in main(). Returns at once where main() is to go on, and does not return in a zygote.
void serve_if_spawned(int argc, char** argv);

}  // namespace pools
