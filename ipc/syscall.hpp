// System calls whose failure is an exception that names them.
#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace ipc {

// Of the limits that any call may meet the message names the value and the remedy.
[[noreturn]] inline void throw_errno(std::string call, int error = errno) {
  if (error == EMFILE) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    call += " with RLIMIT_NOFILE at " + std::to_string(files.rlim_cur) +
            "; close some, or raise it with `ulimit -n`";
  }
  throw std::system_error(error, std::generic_category(), call);
}

// Calls f until no signal interrupts it; returns what it returned, errno left as it is.
template <class F>
auto retry_interrupted(F&& f) {
  auto result = f();
  while (result == -1 && errno == EINTR) result = f();
  return result;
}

// The same, and throws std::system_error(errno, call) in place of returning -1.
template <class F>
auto check(const char* call, F&& f) {
  const auto result = retry_interrupted(f);
  if (result == -1) throw_errno(call);
  return result;
}

}  // namespace ipc
