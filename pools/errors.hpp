// What a future or a pool throws beside the task's own exception.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "ipc/process.hpp"

namespace pools {

class PoolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// submit() after close(), join() or terminate().
class PoolClosed : public PoolError {
 public:
  PoolClosed() : PoolError("the pool is closed and takes no more tasks") {}
};

// The pool was terminated before the task had a result.
class PoolTerminated : public PoolError {
 public:
  PoolTerminated() : PoolError("the pool was terminated before this task was done") {}
};

// The task was cancelled before a worker had begun it: it has not run.
class Cancelled : public PoolError {
 public:
  Cancelled() : PoolError("the task was cancelled before it was begun") {}
};

// The task ended the thread that ran it: pthread_exit(3). The pool has a new one.
class ThreadEnded : public PoolError {
 public:
  ThreadEnded() : PoolError("the task ended its thread") {}
};

// What was waited for was not there at the deadline. It may come yet.
class TimedOut : public PoolError {
 public:
  using PoolError::PoolError;
};

// The pool can run nothing any more; the text says why.
class PoolBroken : public PoolError {
 public:
  explicit PoolBroken(const std::string& why) : PoolError("the pool is broken: " + why) {}
};

// A copy of a pool or of a zygote was used in a process that was forked from the one that made it.
class WrongProcess : public PoolError {
 public:
  explicit WrongProcess(const std::string& what)
      : PoolError(what +
                  " belongs to the process that made it, and this is one that was forked from it: "
                  "make another one here") {}
};

// submit() to a pool of WhenFull::reject that has as many waiting tasks as it may have.
class QueueFull : public PoolError {
 public:
  explicit QueueFull(std::size_t capacity)
      : PoolError("the pool has " + std::to_string(capacity) +
                  " waiting tasks, its Options::queue_capacity") {}
};

// The task ran for longer than its TaskOptions::hard_timeout, and its worker was killed.
class TaskTimedOut : public PoolError {
 public:
  TaskTimedOut(pid_t worker, std::chrono::nanoseconds limit)
      : PoolError("worker " + std::to_string(worker) +
                  " was killed: its task ran for longer than " +
                  std::to_string(std::chrono::duration<double, std::milli>(limit).count()) + " ms"),
        pid(worker) {}

  const pid_t pid;
};

// The worker ended while it had the task.
class WorkerDied : public PoolError {
 public:
  WorkerDied(pid_t worker, ipc::ExitStatus how, bool started, unsigned runs = 1)
      : PoolError(
            "worker " + std::to_string(worker) + " " + how.text() +
            (started ? "; its task may have run, in part or whole" : "; its task has not run") +
            (runs > 1 ? ", it was begun " + std::to_string(runs) + " times" : "")),
        pid(worker),
        status(how),
        may_have_run(started),
        attempts(runs) {}

  const pid_t pid;
  const ipc::ExitStatus status;  // signal or exit code
  const bool may_have_run;
  const unsigned attempts;
};

// A task threw what cannot be thrown again as itself: it keeps its name and its text.
class RemoteError : public PoolError {
 public:
  RemoteError(std::string type_name, std::string what_text, pid_t worker)
      : PoolError(type_name + " in worker " + std::to_string(worker) +
                  (what_text.empty() ? "" : ": " + what_text)),
        type(std::move(type_name)),
        text(std::move(what_text)),
        pid(worker) {}

  const std::string type;  // as in the source: "app::ParseError", "int"
  const std::string text;  // its what(), empty when it has none
  const pid_t pid;
};

}  // namespace pools
