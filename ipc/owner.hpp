// Which process made a thing: proc(5), pidfd_open(2). A pid alone does not say, the kernel gives it
// to somebody else one day; together with the time at which the process started it does.
#pragma once

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct Owner {
  pid_t pid;
  std::uint64_t start_ticks;    // after boot: field 22 of /proc/PID/stat
  std::uint64_t pid_namespace;  // in which the pid counts (pid_namespaces(7))

  // The calling process.
  static Owner self() {
    const pid_t pid = ::getpid();
    const auto start = start_ticks_of(pid);
    if (!start) throw_errno("reading /proc/self/stat (is /proc mounted?)", ENOENT);
    return {.pid = pid, .start_ticks = *start, .pid_namespace = own_pid_namespace()};
  }

  // Anything that is not certain is `unknown`: who removes what the dead have left, leaves that.
  enum class State : std::uint8_t { alive, dead, unknown };
  struct Sight {
    State state;
    Fd process;  // when alive: a pidfd, which polls as POLLIN when it ends
  };

  [[nodiscard]] Sight look() const {
    if (pid_namespace != own_pid_namespace()) return {State::unknown, Fd()};
    Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.valid()) {
      // EINVAL, ENOENT: by now it is the number of some process's thread.
      if (errno == ESRCH || errno == EINVAL || errno == ENOENT) return {State::dead, Fd()};
      throw_errno("pidfd_open");
    }
    const auto start = start_ticks_of(pid);
    // Asked after reading: what was read is then of the process that the pidfd means. A zombie is
    // dead, a process whose first thread alone has ended is not; the pidfd knows.
    if (poll(process.get(), POLLIN, Deadline::now())) return {State::dead, Fd()};
    if (!start) return {State::unknown, Fd()};  // /proc hides it
    if (*start != start_ticks) return {State::dead, Fd()};
    return {State::alive, std::move(process)};
  }

  friend bool operator==(const Owner&, const Owner&) = default;

 private:
  static std::optional<std::uint64_t> start_ticks_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    // The second field, the program's name, is in parentheses and may have any character.
    file.ignore(std::numeric_limits<std::streamsize>::max(), '(');
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    std::string skipped;
    for (int field = 3; field < 22; ++field) fields >> skipped;
    std::uint64_t ticks = 0;
    return fields >> ticks ? std::optional(ticks) : std::nullopt;
  }

  static std::uint64_t own_pid_namespace() {
    struct stat status {};
    check("stat(/proc/thread-self/ns/pid)",
          [&] { return ::stat("/proc/thread-self/ns/pid", &status); });
    return status.st_ino;
  }
};

}  // namespace ipc
