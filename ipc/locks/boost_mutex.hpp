// boost::interprocess::interprocess_mutex: a mutex in shared memory.
#pragma once

#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/version.hpp>

#include "ipc/boost_names.hpp"
#include "ipc/lock.hpp"

namespace ipc {

class BoostMutex {
  // Boost 1.78 and newer make it robust, and give it up when its owner was killed.
  static constexpr bool robust = BOOST_VERSION >= 107800;

 public:
  static constexpr std::string_view name = "boost_mutex";
  static constexpr LockTraits traits{
      .crosses_processes = true,
      .owner_death = robust ? OwnerDeath::breaks : OwnerDeath::blocks,
      .waiter_may_be_killed = robust,  // else it may have been woken, in place of the others
  };

  void lock() {
    boost_call("interprocess_mutex::lock", [this] { mutex_.lock(); });
  }
  void unlock() { mutex_.unlock(); }

 private:
  boost::interprocess::interprocess_mutex mutex_;
};

static_assert(Lock<BoostMutex>);

}  // namespace ipc
