// What outlives its users on this machine, looked at from outside: the suite must leave none of it.
// Descriptors need no list: they end with the processes, which are listed.
#pragma once

#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "ipc/fd.hpp"

namespace leftovers {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// The entries of a folder, as paths; none where it does not exist.
inline Names entries(const fs::path& folder, const std::string& shown_as) {
  Names names;
  std::error_code gone;
  for (fs::directory_iterator entry(folder, gone), end; !gone && entry != end;
       entry.increment(gone)) {
    names.insert(shown_as + entry->path().filename().string());
  }
  return names;
}

// The kernel's file system of POSIX queues, mounted nowhere; root only.
inline std::optional<ipc::Fd> open_queue_folder() {
  const auto number = [](long result) { return static_cast<int>(result); };
  const int context = number(::syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC));
  if (context < 0) return std::nullopt;
  const ipc::Fd owner(context);
  if (::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    return std::nullopt;
  const int folder = number(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0));
  if (folder < 0) return std::nullopt;
  return ipc::Fd(folder);
}

// Whether POSIX queues can be listed: by root, or where the system has mounted them.
inline bool posix_queues_are_visible() {
  return fs::exists("/dev/mqueue") || open_queue_folder().has_value();
}

inline Names posix_queues() {
  const auto folder = open_queue_folder();
  return entries(folder ? "/proc/self/fd/" + std::to_string(folder->get()) : "/dev/mqueue",
                 "POSIX queue /");
}

// A table of /proc/sysvipc has a heading, then rows that begin with key and identifier.
inline Names system_v(const std::string& table) {
  Names names;
  std::ifstream rows("/proc/sysvipc/" + table);
  std::string row;
  std::getline(rows, row);
  while (std::getline(rows, row)) {
    std::string key;
    std::string identifier;
    std::istringstream(row) >> key >> identifier;
    names.insert(fmt::format("System V {} {}", table, identifier));
  }
  return names;
}

// Processes that run a program of the build tree: tests, benchmarks, their workers, guardians.
inline Names processes(const fs::path& build) {
  Names names;
  const std::string inside = fs::canonical(build).string() + "/";
  std::error_code gone;
  for (fs::directory_iterator entry("/proc", gone), end; !gone && entry != end;
       entry.increment(gone)) {
    std::error_code unreadable;  // of another user, a thread of the kernel, or just ended
    const std::string program = fs::read_symlink(entry->path() / "exe", unreadable).string();
    if (unreadable || !program.starts_with(inside)) continue;
    const std::string pid = entry->path().filename().string();
    if (pid == "self" || pid == "thread-self" || pid == std::to_string(::getpid())) continue;
    std::string command;
    std::getline(std::ifstream(entry->path() / "comm") >> std::ws, command);
    names.insert(fmt::format("process {} ({}) of {}", pid, command, program));
  }
  return names;
}

inline Names all(const fs::path& build) {
  Names names = entries("/dev/shm", "/dev/shm/");
  names.merge(posix_queues());
  for (const char* table : {"shm", "msg", "sem"}) names.merge(system_v(table));
  names.merge(processes(build));
  return names;
}

}  // namespace leftovers
