#include "results/measure/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace results {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto grace = 500ms;  // between SIGTERM and SIGKILL
constexpr auto tick = 200ms;

int check(const char* call, long result) {
  if (result == -1) throw std::system_error(errno, std::generic_category(), call);
  return static_cast<int>(result);
}

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  check("pipe2", ::pipe2(ends.data(), O_CLOEXEC));
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  check("fcntl", ::fcntl(ends[0], F_SETFL, O_NONBLOCK));
  return pipe;
}

// Takes what is there; false at the end of the stream.
bool take(const Descriptor& from, std::string& text) {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::read(from.get(), buffer.data(), buffer.size());
    if (size > 0) text.append(buffer.data(), static_cast<std::size_t>(size));
    if (size == 0) return false;
    if (size == -1 && errno == EAGAIN) return true;
    if (size == -1 && errno != EINTR) check("read", -1);
  }
}

class Child {
 public:
  explicit Child(const std::vector<std::string>& command)
      : output(make_pipe()), errors(make_pipe()) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    std::fflush(nullptr);
    pid_ = check("fork", ::fork());
    if (pid_ == 0) become(parent, arguments.data());
    ::setpgid(pid_, pid_);  // both sides do it, whoever comes first
    output.write.reset();
    errors.write.reset();
    pidfd = Descriptor(check("pidfd_open", ::syscall(SYS_pidfd_open, pid_, 0)));
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { reap(); }

  void signal_group(int signal) const { ::kill(-pid_, signal); }

  // Kills what is left of the group and waits for the leader, whose status is the one it ended
  // with if it had ended before. Until it is reaped the number of its group stays taken, so that
  // the signal cannot meet strangers.
  siginfo_t reap() {
    siginfo_t info{};
    if (pid_ == -1) return info;
    signal_group(SIGKILL);
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) == -1 && errno == EINTR) {
    }
    pid_ = -1;
    return info;
  }

  Pipe output;
  Pipe errors;
  Descriptor pidfd;

 private:
  [[noreturn]] void become(pid_t parent, char** arguments) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(output.write.get(), STDOUT_FILENO);
    ::dup2(errors.write.get(), STDERR_FILENO);
    ::execv(arguments[0], arguments);
    ::dprintf(STDERR_FILENO, "execv: %s\n", ::strerror(errno));
    ::_exit(127);
  }

  pid_t pid_ = -1;
};

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
void Descriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

MemoryFile::MemoryFile() : fd_(check("memfd_create", ::memfd_create("ipc-compare", MFD_CLOEXEC))) {}

std::string MemoryFile::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), fd_.get());
}

std::string MemoryFile::text() const {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const int size = check(
        "pread", ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size())));
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

StopSignals::StopSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaddset(&signals, signal);
  struct sigaction hang_up {};
  check("sigaction", ::sigaction(SIGHUP, nullptr, &hang_up));
  if (hang_up.sa_handler != SIG_IGN) ::sigaddset(&signals, SIGHUP);  // nohup(1) asked for that
  check("sigprocmask", ::sigprocmask(SIG_BLOCK, &signals, &old_));
  signals_ = Descriptor(check("signalfd", ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)));
}

StopSignals::~StopSignals() {
  ::sigprocmask(SIG_SETMASK, &old_, nullptr);
}

bool StopSignals::requested() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) requested_ = true;
  return requested_;
}

std::string Ended::text() const {
  if (interrupted) return "was interrupted";
  if (hung) return "printed nothing for too long and was killed";
  if (signal != 0) {
    const char* name = ::sigabbrev_np(signal);
    return name == nullptr ? fmt::format("was killed by signal {}", signal)
                           : fmt::format("was killed by SIG{}", name);
  }
  return fmt::format("exited with code {}", code);
}

Ended execute(const std::vector<std::string>& command, StopSignals& stop,
              std::chrono::milliseconds silence,
              const std::function<void(std::string_view)>& on_line,
              const std::function<void()>& on_tick) {
  Ended ended;
  Child child(command);
  std::size_t line_start = 0;
  Clock::time_point heard = Clock::now();
  std::optional<Clock::time_point> kill_at;
  const auto take_output = [&] {
    const bool open = take(child.output.read, ended.output);
    for (std::size_t end; (end = ended.output.find('\n', line_start)) != std::string::npos;
         line_start = end + 1) {
      heard = Clock::now();
      if (on_line) on_line(std::string_view(ended.output).substr(line_start, end - line_start));
    }
    return open;
  };

  std::array<pollfd, 4> waits = {
      pollfd{child.pidfd.get(), POLLIN, 0}, pollfd{stop.descriptor().get(), POLLIN, 0},
      pollfd{child.output.read.get(), POLLIN, 0}, pollfd{child.errors.read.get(), POLLIN, 0}};
  while ((waits[0].revents & POLLIN) == 0) {
    if (::poll(waits.data(), waits.size(), static_cast<int>(tick.count())) == -1 &&
        errno != EINTR) {
      check("poll", -1);
    }
    // A descriptor below zero is left out of the next poll: the stream ended.
    if (waits[2].revents != 0 && !take_output()) waits[2].fd = -1;
    if (waits[3].revents != 0 && !take(child.errors.read, ended.errors)) waits[3].fd = -1;
    if (!kill_at && (stop.requested() || Clock::now() - heard > silence)) {
      (stop.requested() ? ended.interrupted : ended.hung) = true;
      waits[1].fd = -1;
      child.signal_group(SIGTERM);
      kill_at = Clock::now() + grace;
    }
    if (kill_at && Clock::now() > *kill_at) child.signal_group(SIGKILL);
    if (on_tick) on_tick();
  }
  const siginfo_t info = child.reap();
  take_output();
  take(child.errors.read, ended.errors);
  (info.si_code == CLD_EXITED ? ended.code : ended.signal) = info.si_status;
  return ended;
}

}  // namespace results
