// boost::interprocess::file_lock: a record lock on a file (fcntl(2), F_SETLKW), here one without a
// name (memfd_create(2)).
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <string>

#include <boost/interprocess/sync/file_lock.hpp>

#include "ipc/boost_names.hpp"
#include "ipc/fd.hpp"
#include "ipc/lock.hpp"

namespace ipc {

// The kernel gives it to a process, not to a thread, and takes it back when the process closes any
// descriptor of the file: a process has one BoostFileLock of it. Boost opens the file once more,
// and that descriptor is not close-on-exec.
class BoostFileLock {
 public:
  static constexpr std::string_view name = "boost_file_lock";
  static constexpr LockTraits traits{
      .excludes_threads = false,
      .crosses_processes = true,
      .owner_death = OwnerDeath::frees,
      .lies_in_memory = false,
  };

  BoostFileLock()
      : BoostFileLock(Fd(check("memfd_create",
                               [] { return ::memfd_create("ipc-compare-lock", MFD_CLOEXEC); }))) {}
  explicit BoostFileLock(Parcel& parcel) : BoostFileLock(parcel.take_fd()) {}
  void pack(Parcel& parcel) const { parcel.put(file_.duplicate()); }

  void lock() {
    boost_wait("file_lock::lock", [this] { lock_.lock(); });
  }
  void unlock() {
    boost_call("file_lock::unlock", [this] { lock_.unlock(); });
  }

 private:
  // Boost opens a file by its path; /proc has one for each that is open.
  explicit BoostFileLock(Fd file)
      : file_(std::move(file)), lock_(boost_call("file_lock", [this] {
          return boost::interprocess::file_lock(
              ("/proc/self/fd/" + std::to_string(file_.get())).c_str());
        })) {}

  Fd file_;
  boost::interprocess::file_lock lock_;
};

static_assert(Lock<BoostFileLock>);

}  // namespace ipc
