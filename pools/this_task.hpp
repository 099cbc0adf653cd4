// What a task can ask about itself, while it runs in a pool.
#pragma once

#include "ipc/deadline.hpp"

namespace pools {

// What the pool tells the thread that runs a task.
struct TaskContext {
  ipc::Deadline soft_deadline = ipc::Deadline::never();
  unsigned attempt = 1;
};

namespace detail {

// Of the task that this thread runs.
inline thread_local TaskContext running_task;

}  // namespace detail

namespace this_task {

// Whether it has run for longer than its TaskOptions::soft_timeout: it should come to an end.
inline bool stop_requested() {
  return detail::running_task.soft_deadline.expired();
}

// 1, and more when it is run again (pools::Retry).
inline unsigned attempt() {
  return detail::running_task.attempt;
}

}  // namespace this_task

}  // namespace pools
