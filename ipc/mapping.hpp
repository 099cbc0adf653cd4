// Shared memory without a name: a sealed memfd.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/pages.hpp"
#include "ipc/parcel.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// Throws std::system_error (ENOMEM) when so much memory is not there. Reserving it would not say so:
// a memfd has no limit before the kernel kills some process. Only large ones are checked.
inline void check_available(std::size_t bytes) {
  constexpr std::size_t large = std::size_t{64} << 20;
  if (bytes < large) return;
  std::ifstream memory("/proc/meminfo");
  std::string word;
  std::size_t available_kib = 0;
  while (memory >> word && word != "MemAvailable:") {
  }
  if (memory >> available_kib && bytes / 1024 > available_kib) {
    throw_errno("shared memory of " + std::to_string(bytes) + " bytes, with " +
                    std::to_string(available_kib) + " KiB available; ask for less",
                ENOMEM);
  }
}

// A mapping that several processes share: inherited, or attached through its descriptor.
// Its size is sealed, so that no peer can shrink it and turn an access into SIGBUS (fcntl(2),
// F_ADD_SEALS), and its pages are reserved, so that full memory is an error here and not a signal
// later. The bytes start as zero.
class Mapping {
 public:
  static constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  Mapping() = default;

  static Mapping create(std::size_t bytes) {
    check_available(bytes);
    Fd fd(check("memfd_create",
                [] { return ::memfd_create("ipc-compare", MFD_CLOEXEC | MFD_ALLOW_SEALING); }));
    if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0) {
      throw_errno("posix_fallocate(" + std::to_string(bytes) + " bytes of shared memory)", error);
    }
    check("fcntl(F_ADD_SEALS)", [&] { return ::fcntl(fd.get(), F_ADD_SEALS, seals); });
    return Mapping(std::move(fd), bytes);
  }

  // Maps what another process created. Refuses memory that could still shrink.
  static Mapping attach(Fd fd) {
    const int has = check("fcntl(F_GET_SEALS)", [&] { return ::fcntl(fd.get(), F_GET_SEALS); });
    if ((has & seals) != seals) {
      throw std::runtime_error(
          "shared memory refused: its size is not sealed, a peer could shrink it");
    }
    struct stat status {};
    check("fstat", [&] { return ::fstat(fd.get(), &status); });
    return Mapping(std::move(fd), static_cast<std::size_t>(status.st_size));
  }

  explicit Mapping(Parcel& parcel) : Mapping(attach(parcel.take_fd())) {}
  void pack(Parcel& parcel) const { parcel.put(fd_.duplicate()); }

  [[nodiscard]] std::byte* data() const { return pages_.data(); }
  [[nodiscard]] std::size_t size() const { return pages_.size(); }
  [[nodiscard]] Buffer bytes() const { return {data(), size()}; }
  [[nodiscard]] const Fd& fd() const { return fd_; }

  // The object at the start of the mapping. Requires that its creator has constructed a T there.
  template <class T>
  [[nodiscard]] T& as() const {
    if (size() < sizeof(T)) throw std::runtime_error("shared memory is smaller than its header");
    return *reinterpret_cast<T*>(data());
  }

 private:
  Mapping(Fd fd, std::size_t bytes)
      : fd_(std::move(fd)),
        pages_(Pages::of_file(fd_, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE)) {}

  Fd fd_;
  Pages pages_;
};

}  // namespace ipc
