// The locks of the C++ standard library, for the threads of one process.
#pragma once

#include <mutex>
#include <shared_mutex>

#include "ipc/lock.hpp"

namespace ipc {

struct StdMutex : std::mutex {
  static constexpr std::string_view name = "std_mutex";
  static constexpr LockTraits traits{};
};

// Has lock_shared() for readers.
struct StdSharedMutex : std::shared_mutex {
  static constexpr std::string_view name = "std_shared_mutex";
  static constexpr LockTraits traits{};
};

static_assert(Lock<StdMutex>);
static_assert(Lock<StdSharedMutex> && SharedLockable<StdSharedMutex>);

}  // namespace ipc
