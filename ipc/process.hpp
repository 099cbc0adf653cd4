// A child process with one owner.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct ExitStatus {
  int code = 0;    // what it passed to exit(3), when signal == 0
  int signal = 0;  // what killed it

  [[nodiscard]] bool success() const { return code == 0 && signal == 0; }
  [[nodiscard]] std::string text() const {
    if (signal == 0) return "exited with code " + std::to_string(code);
    const char* name = ::sigabbrev_np(signal);
    return "was killed by signal " + std::to_string(signal) +
           (name == nullptr ? "" : std::string(" (SIG") + name + ")");
  }
  static ExitStatus of(const siginfo_t& info) {
    return info.si_code == CLD_EXITED ? ExitStatus{.code = info.si_status, .signal = 0}
                                      : ExitStatus{.code = 0, .signal = info.si_status};
  }
};

// Forks, runs `main` and leaves with its result, or with 1 after printing what it threw.
// Requires a process with one thread, or a `main` that keeps to signal-safety(7).
// The child is known by a pidfd, never by a number that could be somebody else's by now; it is
// killed when the thread that made it ends (prctl(2), PR_SET_PDEATHSIG) and by the destructor.
class Process {
 public:
  Process() = default;

  explicit Process(const std::function<int()>& main) {
    const pid_t parent = ::getpid();
    std::fflush(nullptr);  // or the child would print what is still buffered once more
    const pid_t child = check("fork", [] { return ::fork(); });
    if (child == 0) run(parent, main);
    *this = adopt(child);
  }

  // Takes over a child that was made otherwise, by posix_spawn(3) say. Ends it if it throws.
  static Process adopt(pid_t child) {
    Process process;
    process.pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    if (!process.pidfd_.valid()) {
      const int error = errno;
      ::kill(child, SIGKILL);
      retry_interrupted([&] { return ::waitpid(child, nullptr, 0); });
      throw_errno("pidfd_open", error);
    }
    process.pid_ = child;
    return process;
  }

  Process(Process&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  Process& operator=(Process&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
    return *this;
  }
  ~Process() {
    if (pid_ < 0) return;
    kill(SIGKILL);
    siginfo_t info{};
    retry_interrupted([&] { return ::waitid(P_PIDFD, id(), &info, WEXITED); });
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const Fd& pidfd() const { return pidfd_; }

  void kill(int signal) const {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
  }

  // Lets go of it and lets it live: in another child, which has inherited this copy.
  void disown() {
    pid_ = -1;
    pidfd_.reset();
  }

  // Waits for the end of the child and releases it; nothing at the deadline.
  std::optional<ExitStatus> join(Deadline deadline = Deadline::never()) {
    if (!poll(pidfd_.get(), POLLIN, deadline)) return std::nullopt;
    siginfo_t info{};
    check("waitid", [&] { return ::waitid(P_PIDFD, id(), &info, WEXITED); });
    pid_ = -1;
    pidfd_.reset();
    return ExitStatus::of(info);
  }

 private:
  [[nodiscard]] id_t id() const { return static_cast<id_t>(pidfd_.get()); }

  [[noreturn]] static void run(pid_t parent, const std::function<int()>& main) {
    int code = 1;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(code);  // the parent died before prctl
    try {
      code = main();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "process %d: %s\n", ::getpid(), error.what());
    }
    std::fflush(nullptr);
    ::_exit(code);
  }

  pid_t pid_ = -1;
  Fd pidfd_;
};

}  // namespace ipc
