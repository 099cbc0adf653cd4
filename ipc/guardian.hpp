// Removes what the kernel would keep, for mechanisms whose objects outlive their users.
#pragma once

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "ipc/lifeline.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// Starts a small process, in a session of its own, that waits until nobody holds either side of
// `end`'s lifeline (closed or killed, it makes no difference) and then calls `remove`.
// It is no child of the caller, which may have threads: it keeps to signal-safety(7), and so must
// `remove`.
template <class Remove>
void guard(const Lifeline& end, Remove remove) requires std::is_trivially_copyable_v<Remove> {
  const pid_t starter = check("fork", [] { return ::fork(); });
  if (starter > 0) {
    // ECHILD: the program ignores SIGCHLD or has waited for it already.
    retry_interrupted([&] { return ::waitpid(starter, nullptr, 0); });
    return;
  }
  std::array<pollfd, 2> sides{pollfd{.fd = end.own_fd(), .events = 0, .revents = 0},
                              pollfd{.fd = end.peers_fd(), .events = 0, .revents = 0}};
  // Keeps nothing else open: an inherited copy of an end would hide from everybody that it is gone.
  // Done before the second fork, so that when guard() returns there is no such copy.
  const auto low = static_cast<unsigned>(std::min(sides[0].fd, sides[1].fd));
  const auto high = static_cast<unsigned>(std::max(sides[0].fd, sides[1].fd));
  if (low > 0) ::syscall(SYS_close_range, 0U, low - 1, 0);
  if (low + 1 < high) ::syscall(SYS_close_range, low + 1, high - 1, 0);
  ::syscall(SYS_close_range, high + 1, ~0U, 0);
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  ::prctl(PR_SET_NAME, "ipc-guardian");
  for (auto& side : sides) {
    while (::poll(&side, 1, -1) != 1) {
    }
  }
  remove();
  ::_exit(0);
}

}  // namespace ipc
