// Measures in a child process and watches it: a row that hangs, a crash and Ctrl-C all end in one
// clear line, an exit code, and no process left.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "ipc/fd.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"

namespace bench {

namespace exit_code {
inline constexpr int usage = 2;
inline constexpr int failed = 4;     // a row failed, crashed or hung
inline constexpr int no_output = 5;  // --benchmark_out cannot be written
inline constexpr int interrupted = 130;
}  // namespace exit_code

// How far the child has come, in memory that both see.
class Progress {
 public:
  Progress() : page_(ipc::Mapping::create(sizeof(Page))) { new (page_.data()) Page; }

  void begin(const std::string& row) {
    Page& page = page_.as<Page>();
    page.row[std::min(row.size(), sizeof page.row - 1)] = '\0';
    row.copy(page.row, sizeof page.row - 1);
    step();
  }
  void end(bool failed) {
    Page& page = page_.as<Page>();
    page.row[0] = '\0';
    if (failed) page.failures.fetch_add(1, std::memory_order_relaxed);
    step();
  }

  [[nodiscard]] std::uint64_t steps() const {
    return page_.as<Page>().steps.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t failures() const {
    return page_.as<Page>().failures.load(std::memory_order_relaxed);
  }
  // The row it was in; none between two. Requires that the child has ended: that is what makes its
  // text visible here.
  [[nodiscard]] std::string row() const { return page_.as<Page>().row; }
  [[nodiscard]] std::string where() const {
    return row().empty() ? "between two rows" : "in row " + row();
  }

 private:
  struct Page {
    std::atomic<std::uint64_t> steps{0};
    std::atomic<std::uint64_t> failures{0};
    char row[256] = {};
  };

  void step() { page_.as<Page>().steps.fetch_add(1, std::memory_order_relaxed); }

  ipc::Mapping page_;
};

// While it lives, the signals that end a program are read from a descriptor.
class EndSignals {
 public:
  EndSignals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
    fd_ = ipc::Fd(ipc::check("signalfd", [&] { return ::signalfd(-1, &set_, SFD_CLOEXEC); }));
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  ~EndSignals() { restore(); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  // For a child, which is ended by its parent and so keeps the usual way.
  void restore() const { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  [[nodiscard]] int take() const {
    signalfd_siginfo info{};
    ipc::check("read(signalfd)", [&] { return ::read(fd_.get(), &info, sizeof info); });
    return static_cast<int>(info.ssi_signo);
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  ipc::Fd fd_;
};

// Runs `work` in a child with a process group of its own and returns its exit code: what `work`
// returned, or exit_code::failed when it crashed or made no progress for `patience`, or
// exit_code::interrupted. Says why on stderr, and for programs "broken row: NAME" on a line of its
// own: the rows after that one are still to be measured. When it returns, the whole group is gone.
// Requires a process with one thread.
inline int watch(const Progress& progress, std::chrono::seconds patience,
                 const std::function<int()>& work) {
  const EndSignals signals;
  ipc::Process child([&] {
    ::setpgid(0, 0);
    signals.restore();
    return work();
  });
  ::setpgid(child.pid(), child.pid());  // both do it: whoever comes first
  const pid_t group = child.pid();      // keeps its meaning for as long as the child is not joined

  const auto say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  const auto broke = [&](const std::string& how) {
    say(how);
    if (!progress.row().empty()) say("broken row: " + progress.row());
    return exit_code::failed;
  };
  const auto end_group = [&] {
    ::kill(-group, SIGKILL);
    return child.join().value();
  };
  std::uint64_t steps = progress.steps();
  auto give_up = ipc::Deadline::in(patience);
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{.fd = child.pidfd().get(), .events = POLLIN, .revents = 0},
                              pollfd{.fd = signals.fd(), .events = POLLIN, .revents = 0}};
    ipc::poll(fds, earlier(give_up, ipc::Deadline::in(std::chrono::seconds(1))));
    if (fds[1].revents != 0) {
      const int signal = signals.take();
      end_group();
      say("stopped by signal " + std::to_string(signal) + " " + progress.where());
      return exit_code::interrupted;
    }
    if (fds[0].revents != 0) {
      const ipc::ExitStatus status = end_group();  // what it may have left behind ends with it
      if (status.signal == 0 && status.code != 1) return status.code;
      return broke("crashed " + progress.where() + ": the process " + status.text());
    }
    if (progress.steps() != steps) {
      steps = progress.steps();
      give_up = ipc::Deadline::in(patience);
    } else if (give_up.expired()) {
      end_group();
      return broke("hung " + progress.where() + ": no progress for " +
                   std::to_string(patience.count()) + " seconds, so it was killed");
    }
  }
}

}  // namespace bench
