// mmap(2), MAP_SHARED, of a regular file without a name in the folder for temporary files, under
// the same lock as shm_mutex. Where that folder is on a disk, the kernel also writes the messages
// there when it likes, and whoever writes to a page meanwhile waits for the disk: with the lock, if
// it has it, and so do the others, until their deadlines.
//
// The size of a file cannot be sealed. Whoever has it open for writing can truncate it, and the
// next access of everybody else is SIGBUS. So it never has a name (open(2), O_TMPFILE), or for a
// moment only where the file system knows no such files, and no end keeps its descriptor but for
// the hand-over. A process of the same user can still get at it through /proc: use shm_mutex with
// peers that are not trusted.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/layout.hpp"
#include "ipc/locked_fifo.hpp"
#include "ipc/mutex_sync.hpp"
#include "ipc/pages.hpp"
#include "ipc/unique_name.hpp"

namespace ipc {

struct MappedFile {
  static constexpr std::string_view name = "mapped_file";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .wait = "futex",
  };

  class File {
   public:
    static File create(std::size_t bytes, bool handed_over) {
      const char* const chosen = ::getenv("TMPDIR");
      const std::string folder = chosen != nullptr ? chosen : "/tmp";
      Fd fd = open_without_name(folder);
      // Its blocks now, so that a full disk is an error and not a signal later.
      if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0) {
        throw_errno("posix_fallocate(" + std::to_string(bytes) + " bytes) in " + folder +
                        "; make room there, or set TMPDIR to another folder",
                    error);
      }
      return {std::move(fd), bytes, handed_over};
    }

    // What was handed over can be handed on.
    explicit File(Parcel& parcel) : File(parcel.take_fd(), parcel.take<std::size_t>(), true) {}
    // Requires Options::handed_over.
    void pack(Parcel& parcel) const {
      if (!fd_.valid()) {
        throw std::logic_error("mapped_file: open it with Options::handed_over to pack its ends");
      }
      parcel.put(fd_.duplicate());
      parcel.put(pages_.size());
    }

    [[nodiscard]] Buffer bytes() const { return {pages_.data(), pages_.size()}; }

   private:
    // Refuses a file that does not have the bytes that it should have.
    File(Fd fd, std::size_t bytes, bool handed_over) {
      struct stat status {};
      check("fstat", [&] { return ::fstat(fd.get(), &status); });
      if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) != bytes) {
        throw_damaged("its file has " + std::to_string(status.st_size) + " bytes and should have " +
                      std::to_string(bytes));
      }
      pages_ = Pages::of_file(fd, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE);
      if (handed_over) fd_ = std::move(fd);
    }

    static Fd open_without_name(const std::string& folder) {
      // O_EXCL: nor can it be given one later.
      const int nameless =
          ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
      if (nameless != -1) return Fd(nameless);
      if (errno != EOPNOTSUPP && errno != EISDIR) throw_errno("open in TMPDIR, " + folder);
      const std::string path = folder + "/" + unique_name();
      Fd named(check(("open " + path).c_str(), [&] {
        return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
      }));
      check("unlink", [&] { return ::unlink(path.c_str()); });
      return named;
    }

    Fd fd_;  // only for the hand-over
    Pages pages_;
  };

  using Sync = MutexSync;
  using Sender = LockedFifoSender<Sync, File>;
  using Receiver = LockedFifoReceiver<Sync, File>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return open_locked_fifo<Sync>(
        File::create(LockedFifo<Sync>::bytes_for(options), options.handed_over), Lifeline::open(),
        options);
  }
};

static_assert(Channel<MappedFile>);

}  // namespace ipc
