// fifo(7): a pipe that begins with a name in a folder, framed.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "ipc/channel.hpp"
#include "ipc/framed_pipe.hpp"
#include "ipc/unique_name.hpp"

namespace ipc {

struct Fifo {
  static constexpr std::string_view name = "fifo";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .death_notice = "end of file, EPIPE",
      .opened_by = "who inherits it or is handed it; this user, while it is made",
  };

  using Sender = FramedSender;
  using Receiver = FramedReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return framed_pipe(create(std::filesystem::temp_directory_path() / unique_name()), options);
  }

  // Makes the FIFO, mode 0600, opens it at both ends and removes its name. Throws std::system_error
  // (EEXIST) when the name is taken, whatever has it.
  static PipeEnds create(const std::filesystem::path& path) {
    if (::mkfifo(path.c_str(), 0600) == -1) throw_errno("mkfifo(" + path.string() + ")");
    try {
      return take(path);
    } catch (...) {
      ::unlink(path.c_str());
      throw;
    }
  }

  // Opens both ends of this user's FIFO and removes its name. What is not this user's FIFO, or not
  // for this user alone, is never opened and keeps its name: std::runtime_error. In a folder where
  // others may rename, it could have taken the place of what mkfifo made.
  static PipeEnds take(const std::filesystem::path& path) {
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;  // looks at it and opens nothing
    const Fd found(check("open(O_PATH)", [&] { return ::open(path.c_str(), flags); }));
    struct stat status {};
    check("fstat", [&] { return ::fstat(found.get(), &status); });
    constexpr mode_t others = S_IRWXG | S_IRWXO;
    if (!S_ISFIFO(status.st_mode) || status.st_uid != ::geteuid() ||
        (status.st_mode & others) != 0) {
      throw std::runtime_error("fifo: " + path.string() +
                               " is not a FIFO for this user alone; it was not opened");
    }
    check("unlink", [&] { return ::unlink(path.c_str()); });
    // By way of what was looked at: the name may be somebody else's by now.
    const std::string same = "/proc/self/fd/" + std::to_string(found.get());
    const auto open_end = [&](int mode) {
      return Fd(check("open", [&] { return ::open(same.c_str(), mode | O_CLOEXEC); }));
    };
    // Each end waits for the other to be opened, unless told not to (fifo(7)).
    Fd reader = open_end(O_RDONLY | O_NONBLOCK);
    Fd writer = open_end(O_WRONLY);
    check("fcntl(F_SETFL)", [&] { return ::fcntl(reader.get(), F_SETFL, 0); });
    return {.reader = std::move(reader), .writer = std::move(writer)};
  }
};

static_assert(Channel<Fifo>);

}  // namespace ipc
