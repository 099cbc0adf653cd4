// What the mechanisms of Boost.Interprocess share: their names, and their exceptions.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <string>
#include <system_error>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/permissions.hpp>
#include <boost/interprocess/shared_memory_object.hpp>

#include "ipc/guardian.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/parcel.hpp"
#include "ipc/unique_name.hpp"

namespace ipc {

// The name of a shared memory object of Boost, which knows nothing else. It is removed as soon as
// the object is open. Where ends are handed over, any number of processes may open it yet: then a
// guardian removes it when the last end is gone.
class BoostName {
 public:
  BoostName() : text_{} {
    const std::string name = unique_name();
    std::copy_n(name.data(), std::min(name.size(), text_.size() - 1), text_.data());
  }
  explicit BoostName(Parcel& parcel) : text_(parcel.take<Text>()) {}
  void pack(Parcel& parcel) const { parcel.put(text_); }

  [[nodiscard]] const char* c_str() const { return text_.data(); }
  void remove() const { boost::interprocess::shared_memory_object::remove(c_str()); }

  void opened(bool handed_over, const Lifeline& end) const {
    handed_over ? guarded(end, ::shm_unlink) : remove();
  }

  // Has a guardian remove the name when nobody holds either side of the lifeline any more, by
  // shm_unlink(3) or sem_unlink(3).
  void guarded(const Lifeline& end, int (*unlink)(const char*)) const {
    std::array<char, 1 + sizeof(Text)> path{'/'};
    std::copy(text_.begin(), text_.end(), path.begin() + 1);
    guard(end, [path, unlink] { unlink(path.data()); });
  }

  // Readable and writable by the owner alone; Boost's default lets everybody read.
  static boost::interprocess::permissions owner_only() {
    return boost::interprocess::permissions(0600);
  }

 private:
  using Text = std::array<char, 60>;
  Text text_;
};

// Calls f; what Boost throws becomes std::system_error with the name of the call.
// lock_exception: the owner of a robust mutex died inside, and Boost gives the object up for good.
template <class F>
auto boost_call(const char* call, F&& f) {
  namespace bip = boost::interprocess;
  try {
    return f();
  } catch (const bip::interprocess_exception& error) {
    int code = error.get_native_error();
    if (code == 0) code = error.get_error_code() == bip::not_recoverable ? ENOTRECOVERABLE : EIO;
    throw_errno(std::string(call) + ": " + error.what(), code);
  }
}

// The same for a call that waits: Boost takes a signal that interrupts it for a failure.
template <class F>
void boost_wait(const char* call, F&& f) {
  const auto interrupted = [&f] {
    try {
      f();
      return false;
    } catch (const boost::interprocess::interprocess_exception& error) {
      if (error.get_native_error() != EINTR) throw;
      return true;
    }
  };
  while (boost_call(call, interrupted)) {
  }
}

}  // namespace ipc
