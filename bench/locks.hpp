// Locks that processes can share, beside those of pools/locks.hpp, which threads use.
// A new one is an entry here.
#pragma once

#include <string_view>

#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include "ipc/robust_mutex.hpp"
#include "ipc/type_list.hpp"

namespace bench {

// When its owner is killed, everybody else waits for ever.
struct BoostMutex {
  static constexpr std::string_view name = "boost_mutex";
  using Lock = boost::interprocess::interprocess_mutex;
};

struct RobustMutex {
  static constexpr std::string_view name = "robust_mutex";
  using Lock = ipc::RobustMutex;
};

using SharedLocks = ipc::TypeList<BoostMutex, RobustMutex>;

}  // namespace bench
