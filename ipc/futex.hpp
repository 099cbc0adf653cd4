// futex(2), for words that processes share.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "ipc/deadline.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

using FutexWord = std::atomic<std::uint32_t>;
static_assert(sizeof(FutexWord) == 4 && FutexWord::is_always_lock_free);

// Sleeps while word == expected, until a wake or the deadline; may return for no reason.
// False only at the deadline.
inline bool futex_wait(const FutexWord& word, std::uint32_t expected, Deadline deadline) {
  if (deadline.is_now()) return false;
  timespec at{};
  if (!deadline.is_never()) at = deadline.absolute();
  // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, so EINTR needs no arithmetic.
  const long result =
      ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, deadline.is_never() ? nullptr : &at,
                nullptr, FUTEX_BITSET_MATCH_ANY);
  if (result == 0 || errno == EAGAIN || errno == EINTR) return true;
  if (errno == ETIMEDOUT) return false;
  throw_errno("futex(FUTEX_WAIT_BITSET)");
}

inline void futex_wake(const FutexWord& word, int waiters = INT_MAX) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, waiters, nullptr, nullptr, 0);
}

}  // namespace ipc
