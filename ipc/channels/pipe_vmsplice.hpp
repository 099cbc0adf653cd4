// vmsplice(2): a pipe that long messages enter as pages of the sender, by reference.
//
// The caller may use its buffer again when send returns, as with every channel: what is moved is
// not the buffer but pages of the channel's own, into which send copies the message. That saves the
// kernel its allocation of a page for each page that is written, not the copy.
//
// A page that is in the pipe must not change until it was read. The pages are a ring, used in turn,
// and the ring has as many as the pipe has places and those of one call more: when a page comes
// round again, the pipe has since taken as many pages as it can hold, so that it let go of this
// one. No call asks for that, and none waits for it but the write that waits for room anyway. The
// pages are not gifted (SPLICE_F_GIFT), for a gift must never change again.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "ipc/channel.hpp"
#include "ipc/framed_pipe.hpp"

namespace ipc {

// The pages of one sender, which enter one pipe and nothing else.
class PageMover {
 public:
  explicit PageMover(const Fd& pipe)
      : page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        ring_bytes_(pipe_bytes(pipe) + call_pages * page_bytes_),
        ring_(map(ring_bytes_)) {}

  // As FrameWriter says. Plain writes for what is short.
  ssize_t write(const Fd& pipe, std::span<const iovec> parts, bool waits) {
    std::size_t bytes = 0;
    for (const iovec& part : parts) bytes += part.iov_len;
    if (bytes < moved_from_bytes) return GatheringWriter::write(pipe, parts, waits);
    return move(pipe, gather(parts), waits);
  }

 private:
  // Where the CPU time of both sides together is less than that of plain writes: at 12 KiB it is
  // 1.1 times as much, at 16 KiB 0.6 times, at 64 KiB half.
  static constexpr std::size_t moved_from_bytes = std::size_t{16} << 10;
  // Few pages a call wake the reader often, many fall out of the cache before they are read.
  static constexpr std::size_t call_pages = 32;

  // Unmapped pages that are still in a pipe live on there, unchanged: memory of the heap would be
  // given to the next who asks.
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* pages) const { ::munmap(pages, bytes); }
  };
  using Pages = std::unique_ptr<std::byte, Unmap>;

  // Private: after fork() each process has its own, and what one writes does not show in the pages
  // of the other's messages.
  static Pages map(std::size_t bytes) {
    void* const pages =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw_errno("mmap(" + std::to_string(bytes) + " bytes)");
    return Pages(static_cast<std::byte*>(pages), Unmap{bytes});
  }

  // Copies what one call moves to the next pages of the ring; returns how many bytes that are.
  std::size_t gather(std::span<const iovec> parts) {
    const std::size_t room = std::min(call_pages * page_bytes_, ring_bytes_ - next_);
    std::size_t bytes = 0;
    for (const iovec& part : parts) {
      const std::size_t step = std::min(part.iov_len, room - bytes);
      std::memcpy(ring_.get() + next_ + bytes, part.iov_base, step);
      bytes += step;
    }
    return bytes;
  }

  // The pipe takes whole pages, except for the last one. What it does not take stays ours: the next
  // call copies it once more.
  ssize_t move(const Fd& pipe, std::size_t bytes, bool waits) {
    std::size_t moved = 0;
    while (moved < bytes) {
      iovec pages{.iov_base = ring_.get() + next_, .iov_len = bytes - moved};
      const ssize_t taken = retry_interrupted(
          [&] { return ::vmsplice(pipe.get(), &pages, 1, waits ? 0 : SPLICE_F_NONBLOCK); });
      if (taken == -1) {
        if (errno != EAGAIN && errno != EPIPE) throw_errno("vmsplice");
        return moved > 0 ? static_cast<ssize_t>(moved) : -1;
      }
      moved += static_cast<std::size_t>(taken);
      const std::size_t used = static_cast<std::size_t>(taken) + page_bytes_ - 1;
      next_ = (next_ + used / page_bytes_ * page_bytes_) % ring_bytes_;
    }
    return static_cast<ssize_t>(moved);
  }

  std::size_t page_bytes_;
  std::size_t ring_bytes_;
  Pages ring_;
  std::size_t next_ = 0;  // byte of the ring at which the next page begins
};

struct PipeVmsplice {
  static constexpr std::string_view name = "pipe_vmsplice";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .death_notice = "end of file, EPIPE",
  };

  using Sender = BasicFramedSender<PageMover>;
  using Receiver = FramedReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return framed_pipe<PageMover>(open_pipe(), options);
  }
};

static_assert(Channel<PipeVmsplice>);

}  // namespace ipc
