#include "pools/shared/lock.hpp"

#include <cerrno>
#include <optional>
#include <stdexcept>

#include "ipc/backoff.hpp"
#include "ipc/syscall.hpp"

namespace pools {

Acquired OwnedLock::acquire(ipc::Deadline deadline) {
  std::optional<ipc::RobustMutex::Locked> locked = mutex_.try_lock();
  if (!locked && mutex_.is_mine()) {
    if (reentrant_) {
      ++depth_;
      return Acquired::done;
    }
    if (deadline.is_never()) ipc::throw_errno("acquire: this thread has the lock already", EDEADLK);
  }
  if (!locked && deadline.is_never()) locked = mutex_.lock();
  for (ipc::Backoff backoff; !locked; locked = mutex_.try_lock()) {
    if (!backoff.wait(deadline)) return Acquired::timed_out;
  }
  depth_ = 1;
  return *locked == ipc::RobustMutex::Locked::clean ? Acquired::done : Acquired::recovered;
}

void OwnedLock::release() {
  if (!mutex_.is_mine()) {
    throw std::logic_error("release of a lock that the calling thread has not acquired");
  }
  if (--depth_ == 0) mutex_.unlock();
}

std::uint32_t OwnedLock::release_all() {
  if (!mutex_.is_mine()) {
    throw std::logic_error("wait with a lock that the calling thread has not acquired");
  }
  const std::uint32_t depth = depth_;
  mutex_.unlock();
  return depth;
}

Acquired OwnedLock::acquire_all(std::uint32_t depth) {
  const Acquired acquired = acquire();
  depth_ = depth;
  return acquired;
}

}  // namespace pools
