// Locks between processes that are waited for until a deadline, and whose next owner is told when
// the last one was killed: pthread_mutexattr_setrobust(3).
#pragma once

#include <cstdint>
#include <string_view>

#include "ipc/deadline.hpp"
#include "ipc/locks/robust_mutex.hpp"

namespace pools {

enum class Acquired : std::uint8_t {
  timed_out,
  done,
  recovered,  // its last owner ended with it in its hands: what it guards may be half changed
};

// What Lock and RLock have in common. It belongs to the thread that has acquired it, which lets it
// go before it ends. Waits without a deadline sleep until they have it; those with one look at
// least once in a millisecond, so they come after the others.
class OwnedLock {
 public:
  // Throws std::system_error(EDEADLK) when the calling thread waits for itself without a deadline.
  Acquired acquire(ipc::Deadline deadline = ipc::Deadline::never());
  // Throws std::logic_error when the calling thread does not have it.
  void release();

  // For std::lock_guard, where what it guards is whole at every instant: nobody is told of a death.
  void lock() { acquire(); }
  void unlock() { release(); }

 protected:
  explicit OwnedLock(bool reentrant) : reentrant_(reentrant) {}

 private:
  friend class Condition;

  // As often as the thread has acquired it; and as often again.
  std::uint32_t release_all();
  Acquired acquire_all(std::uint32_t depth);

  ipc::RobustMutex mutex_;
  const bool reentrant_;
  std::uint32_t depth_ = 0;  // how often; this is the owner's
};

// Whoever has it is not given it again.
class Lock : public OwnedLock {
 public:
  static constexpr std::string_view kind = "lock";
  Lock() : OwnedLock(false) {}
};

// Its owner may acquire it again, and releases it as often.
class RLock : public OwnedLock {
 public:
  static constexpr std::string_view kind = "rlock";
  RLock() : OwnedLock(true) {}
};

}  // namespace pools
