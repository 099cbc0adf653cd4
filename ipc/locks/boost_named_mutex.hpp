// boost::interprocess::named_mutex: on Linux a POSIX semaphore with a name (sem_overview(7)).
#pragma once

#include <semaphore.h>

#include <memory>

#include <boost/interprocess/sync/named_mutex.hpp>

#include "ipc/boost_names.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/lock.hpp"

namespace ipc {

// The name is all by which another process can find it, so it stays as long as the lock has users.
// A guardian removes it then.
class BoostNamedMutex {
 public:
  static constexpr std::string_view name = "boost_named_mutex";
  static constexpr LockTraits traits{
      .crosses_processes = true,
      .waiter_may_be_killed = false,  // it may have been woken, in place of the others
      .lies_in_memory = false,
  };

  BoostNamedMutex() {
    name_.guarded(lifeline_, ::sem_unlink);
    mutex_ = boost_call("named_mutex(create_only)", [&] {
      return std::make_unique<Mutex>(boost::interprocess::create_only, name_.c_str(),
                                     BoostName::owner_only());
    });
  }
  explicit BoostNamedMutex(Parcel& parcel) : name_(parcel), lifeline_(parcel) {
    mutex_ = boost_call("named_mutex(open_only)", [&] {
      return std::make_unique<Mutex>(boost::interprocess::open_only, name_.c_str());
    });
  }
  void pack(Parcel& parcel) const {
    name_.pack(parcel);
    lifeline_.clone().pack(parcel);
  }

  void lock() {
    boost_wait("named_mutex::lock", [this] { mutex_->lock(); });
  }
  void unlock() { mutex_->unlock(); }

 private:
  using Mutex = boost::interprocess::named_mutex;

  BoostName name_;
  Lifeline lifeline_ = Lifeline::open().first;
  std::unique_ptr<Mutex> mutex_;
};

static_assert(Lock<BoostNamedMutex>);

}  // namespace ipc
