// What a pool and a zygote say to each other.
//
//   program --[socket of a pool, its board]--> zygote       over the zygote's socket, once a pool
//   pool    --orders-------------------------> zygote       over the pool's socket
//           <------------------------reports--
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "pools/board.hpp"

namespace pools {

// What a worker does: a function of the program; returns the exit code. All that it needs is in the
// order that starts it, as bytes and descriptors: it may run where nothing of the pool was
// inherited.
using WorkerMain = int (*)(std::size_t worker, Board& board, ipc::Parcel& order);

// How a worker ended, or that it could not be started.
struct DeathReport {
  std::size_t worker;
  pid_t pid;
  ipc::ExitStatus status;
  int fork_error;  // errno of what failed, else 0
};

namespace detail {

// start:   [worker][CodeAddress of a WorkerMain][what that takes]
// kill:    [worker]
// confirm: answered when all that was ordered before is done
// finish:  when no worker is left, the zygote hangs up
// A pool that hangs up has its workers killed. The zygote hangs up when the last one is gone.
enum class Order : std::uint8_t { start, kill, confirm, finish };

struct Report {
  bool confirms;  // or else tells of a death
  DeathReport death;
};

}  // namespace detail

}  // namespace pools
