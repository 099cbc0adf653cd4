// A child that leads a process group of its own, with its output captured.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace results {

// An owned descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }
  void reset();
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// A nameless file in memory that other processes open by its path: nothing is left of it
// whoever is killed.
class MemoryFile {
 public:
  MemoryFile();
  [[nodiscard]] std::string path() const;
  [[nodiscard]] std::string text() const;

 private:
  Descriptor fd_;
};

// While it lives, SIGINT, SIGTERM and SIGHUP (unless it is ignored) do not end this process but
// are told by requested().
// Requires a process with one thread.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  [[nodiscard]] bool requested();  // once true, always true
  [[nodiscard]] const Descriptor& descriptor() const { return signals_; }

 private:
  sigset_t old_;
  Descriptor signals_;
  bool requested_ = false;
};

// How a child ended.
struct Ended {
  int code = 0;    // its exit code, when signal == 0
  int signal = 0;  // what killed it
  bool hung = false;
  bool interrupted = false;
  std::string output;
  std::string errors;

  [[nodiscard]] bool success() const { return code == 0 && signal == 0 && !hung && !interrupted; }
  [[nodiscard]] std::string text() const;  // "exited with code 3", "was killed by SIGSEGV", ...
};

// Runs a command until it ends, hands every line of its standard output to `on_line`, and calls
// `on_tick` a few times a second. When a stop is requested, or when the child prints no line for
// `silence`, its whole group gets SIGTERM and, a grace period later, SIGKILL. Whatever is left of
// the group when its leader ends is killed; if this process dies, so does the leader.
// Throws std::system_error when the child cannot be started.
Ended execute(const std::vector<std::string>& command, StopSignals& stop,
              std::chrono::milliseconds silence,
              const std::function<void(std::string_view)>& on_line = {},
              const std::function<void()>& on_tick = {});

}  // namespace results
