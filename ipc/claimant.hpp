// Who holds a claim in shared memory, as a number that fits into an atomic word, and whether the
// holder still lives.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "ipc/fd.hpp"
#include "ipc/parcel.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// A number that no other Claimant of the same memory has. The number is the place of a lock in the
// memory's file, held by an open file of this claimant's own (fcntl(2), F_OFD_SETLK). So it is the
// kernel that keeps the numbers apart and gives one back when the last copy of its claimant is
// gone: after fork(), after SIGKILL, in whatever process and PID namespace.
class Claimant {
 public:
  using Number = std::uint16_t;

  // Takes the lowest number that is free. Requires /proc. What the number's last holder has left
  // claimed is now this one's to give back.
  static Claimant take(const Fd& memory) {
    // Opened anew: a lock belongs to an open file, and a duplicate would be the same one.
    const std::string path = "/proc/self/fd/" + std::to_string(memory.get());
    Fd file(check("open(/proc/self/fd)", [&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); }));
    for (unsigned number = 0; number <= std::numeric_limits<Number>::max(); ++number) {
      const auto mine = static_cast<Number>(number);
      auto lock = lock_of(mine);
      if (retry_interrupted([&] { return ::fcntl(file.get(), F_OFD_SETLK, &lock); }) == 0) {
        return {std::move(file), mine};
      }
      if (errno != EAGAIN && errno != EACCES) throw_errno("fcntl(F_OFD_SETLK)");
    }
    throw std::runtime_error("65536 ends share this memory, there is no number for one more");
  }

  explicit Claimant(Parcel& parcel) : file_(parcel.take_fd()), number_(parcel.take<Number>()) {}
  void pack(Parcel& parcel) && {
    parcel.put(std::move(file_));
    parcel.put(number_);
  }

  [[nodiscard]] Number number() const { return number_; }

  // Whether nobody has this number now: one system call. Not for the own one.
  [[nodiscard]] bool is_gone(Number other) const {
    auto lock = lock_of(other);
    check("fcntl(F_OFD_GETLK)", [&] { return ::fcntl(file_.get(), F_OFD_GETLK, &lock); });
    return lock.l_type == F_UNLCK;
  }

 private:
  Claimant(Fd file, Number number) : file_(std::move(file)), number_(number) {}

  static struct flock lock_of(Number number) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = number;
    lock.l_len = 1;
    return lock;
  }

  Fd file_;
  Number number_;
};

}  // namespace ipc
