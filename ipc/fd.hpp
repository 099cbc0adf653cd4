// An owned descriptor, and the one way to wait for several.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <span>
#include <utility>

#include "ipc/deadline.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// Closes on destruction; moved, never copied. Every descriptor here is close-on-exec.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  explicit operator bool() const = delete;  // descriptor 0 is a descriptor: say valid()

  // close(2) releases the descriptor even when it fails, so there is nothing to try again.
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  // One more descriptor of the same open file.
  [[nodiscard]] Fd duplicate() const {
    return Fd(check("fcntl(F_DUPFD_CLOEXEC)", [&] { return ::fcntl(fd_, F_DUPFD_CLOEXEC, 0); }));
  }

 private:
  int fd_ = -1;
};

// Waits until a descriptor is ready; false at the deadline. The revents say which and why.
inline bool poll(std::span<pollfd> fds, Deadline deadline) {
  for (;;) {
    timespec left{};
    if (!deadline.is_never()) left = deadline.remaining();
    const int ready =
        ::ppoll(fds.data(), fds.size(), deadline.is_never() ? nullptr : &left, nullptr);
    if (ready > 0) return true;
    if (ready == -1 && errno != EINTR) throw_errno("ppoll");
    if (ready == 0) return false;
  }
}

inline bool poll(int fd, short events, Deadline deadline) {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  return poll(std::span(&one, 1), deadline);
}

}  // namespace ipc
