// The registry of locks: what a thread pool's queue and Guarded data can be guarded by.
// A new one is an entry here.
#pragma once

#include <mutex>
#include <string_view>

#include "ipc/type_list.hpp"

namespace pools {

struct StdMutex {
  static constexpr std::string_view name = "std_mutex";
  using Lock = std::mutex;
};

template <class L>
concept NamedLock = requires(typename L::Lock lock) {
  { L::name } -> std::convertible_to<std::string_view>;
  lock.lock();
  lock.unlock();
};

using AllLocks = ipc::TypeList<StdMutex>;

}  // namespace pools
