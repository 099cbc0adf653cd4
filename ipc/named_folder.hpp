// The folder of a user in which channels are published: for each an entry, a Unix socket whose name
// says which process owns it. Nobody else can put anything there.
//
//   ipc-compare.1000/              mode 0700, ours
//     telemetry.4711.1289589.4026531836
//     name      pid  start   pid namespace
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/backoff.hpp"
#include "ipc/fd.hpp"
#include "ipc/owner.hpp"

namespace ipc {

struct NamedEntry {
  static constexpr std::size_t name_characters_max = 32;

  std::string name;
  Owner owner;

  [[nodiscard]] std::string text() const {
    return name + '.' + std::to_string(owner.pid) + '.' + std::to_string(owner.start_ticks) + '.' +
           std::to_string(owner.pid_namespace);
  }

  // Nothing when it is no text() of an entry, to the last character.
  static std::optional<NamedEntry> parse(std::string_view text) {
    NamedEntry entry{};
    std::string_view rest = text;
    if (!take_number(rest, entry.owner.pid_namespace)) return std::nullopt;
    if (!take_number(rest, entry.owner.start_ticks)) return std::nullopt;
    if (!take_number(rest, entry.owner.pid)) return std::nullopt;
    entry.name = rest;
    const bool exact = entry.owner.pid > 0 && !fault_of(rest) && entry.text() == text;
    return exact ? std::optional(std::move(entry)) : std::nullopt;
  }

  // What is wrong with a channel's name, if anything is.
  static std::optional<std::string> fault_of(std::string_view name) {
    constexpr std::string_view characters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (name.empty()) return "is empty; one character is the least";
    if (name.size() > name_characters_max) {
      return "has " + std::to_string(name.size()) + " characters, " +
             std::to_string(name_characters_max) + " at most leave room for its owner in the " +
             std::to_string(sizeof(sockaddr_un::sun_path)) +
             " bytes of sun_path; choose a shorter one";
    }
    if (name.find_first_not_of(characters) != name.npos) {
      return "has a character other than letters, digits, '_' and '-'; choose another";
    }
    return std::nullopt;
  }

 private:
  // Takes ".<number>" off the end.
  template <class Number>
  static bool take_number(std::string_view& text, Number& number) {
    const auto dot = text.rfind('.');
    if (dot == text.npos) return false;
    const auto digits = text.substr(dot + 1);
    text = text.substr(0, dot);
    const auto end = digits.data() + digits.size();
    return std::from_chars(digits.data(), end, number).ptr == end && !digits.empty();
  }
};

class NamedFolder {
 public:
  // Of the calling user: in $XDG_RUNTIME_DIR, or else in /dev/shm, or else in /tmp. Processes that
  // are to meet must agree on it; those of a session and those of cron may not.
  static std::filesystem::path default_path() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    std::filesystem::path parent = runtime == nullptr ? "" : runtime;
    if (!parent.is_absolute()) {
      parent = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    }
    return parent / ("ipc-compare." + std::to_string(::geteuid()));
  }

  // Opens it, and makes it first where there is none.
  // Throws std::system_error when what is there is not a folder, not ours, or not ours alone.
  static NamedFolder make(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      throw_errno("mkdir(" + path.string() + ")");
    }
    if (auto folder = find(path)) return std::move(*folder);
    throw_errno("open(" + path.string() + "), which was just made", ENOENT);
  }

  // The same; nothing where there is none.
  static std::optional<NamedFolder> find(const std::filesystem::path& path) {
    // O_PATH: looks at it without opening it, whatever it is.
    const Fd seen(
        retry_interrupted([&] { return ::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
    if (!seen.valid() && errno == ENOENT) return std::nullopt;
    if (!seen.valid()) throw_errno("open(" + path.string() + ")");
    struct stat status {};
    check("fstat", [&] { return ::fstat(seen.get(), &status); });
    const auto refuse = [&](int error, const std::string& why) {
      throw_errno(path.string() + " refused: " + why, error);
    };
    if (S_ISLNK(status.st_mode)) refuse(ELOOP, "it is a symbolic link; remove it");
    if (!S_ISDIR(status.st_mode)) refuse(ENOTDIR, "it is not a folder; remove it");
    if (status.st_uid != ::geteuid()) {
      refuse(EPERM, "it belongs to user " + std::to_string(status.st_uid) + ", we are user " +
                        std::to_string(::geteuid()) +
                        "; have it removed, or choose another folder (XDG_RUNTIME_DIR)");
    }
    if ((status.st_mode & 0777) != 0700) {
      refuse(EPERM,
             "its mode lets others in, or us not; `chmod 0700` it when nobody else has "
             "put anything into it");
    }
    Fd folder(check("openat",
                    [&] { return ::openat(seen.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    return NamedFolder(path, std::move(folder));
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // The names of all that is in it.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(through_descriptor())) {
      names.push_back(file.path().filename().string());
    }
    return names;
  }

  // The entries of a channel's name: the living owner's, at most one, and those of dead ones.
  [[nodiscard]] std::vector<NamedEntry> entries_of(std::string_view name) const {
    std::vector<NamedEntry> entries;
    for (const auto& text : names()) {
      auto entry = NamedEntry::parse(text);
      if (entry && entry->name == name) entries.push_back(std::move(*entry));
    }
    return entries;
  }

  // Whether it is what an entry is: a socket, ours, not a link to one.
  [[nodiscard]] bool is_socket_of_ours(const std::string& entry) const {
    struct stat status {};
    return ::fstatat(folder_.get(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(status.st_mode) && status.st_uid == ::geteuid();
  }

  // For bind(2) and connect(2), however long the folder's path is.
  [[nodiscard]] sockaddr_un address_of(const NamedEntry& entry) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = through_descriptor() + '/' + entry.text();
    if (path.size() >= sizeof address.sun_path) throw std::length_error(path + ": too long");
    path.copy(static_cast<char*>(address.sun_path), path.size());
    return address;
  }

  // Does not mind when it is gone already.
  void remove(const std::string& entry) const {
    if (::unlinkat(folder_.get(), entry.c_str(), 0) != 0 && errno != ENOENT) {
      throw_errno("unlinkat(" + entry + ")");
    }
  }

  // Held while a name is taken: flock(2), which the kernel gives back if its holder is killed.
  class Lock {
   public:
    explicit Lock(const Fd& folder) : folder_(folder) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    // Not left to close(2): a child that was forked meanwhile has a copy of the descriptor.
    ~Lock() { ::flock(folder_.get(), LOCK_UN); }

   private:
    const Fd& folder_;
  };
  [[nodiscard]] Lock lock(Deadline deadline) const {
    for (Backoff backoff; ::flock(folder_.get(), LOCK_EX | LOCK_NB) != 0;) {
      if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("flock(" + path_.string() + ")");
      if (!backoff.wait(deadline)) {
        throw_errno("flock(" + path_.string() +
                        "): held by a process that was stopped while it "
                        "published a channel; `lslocks` names it",
                    ETIMEDOUT);
      }
    }
    return Lock(folder_);
  }

 private:
  NamedFolder(std::filesystem::path path, Fd folder)
      : path_(std::move(path)), folder_(std::move(folder)) {}

  // Not /proc/self: that has no descriptors any more when the first thread of a process has ended.
  [[nodiscard]] std::string through_descriptor() const {
    return "/proc/thread-self/fd/" + std::to_string(folder_.get());
  }

  std::filesystem::path path_;
  Fd folder_;
};

}  // namespace ipc
