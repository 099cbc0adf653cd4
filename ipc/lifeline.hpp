// Who is still there: for mechanisms that do not tell.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/parcel.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// One pipe a side. Each copy of an end holds the write end of its side's pipe, so the kernel counts
// the copies, across fork() and SIGKILL, and hangs up the read end when the last one is gone.
//
//   sender:    holds ======> senders' pipe   =====> watched by receivers (and by the senders, to
//   receiver:  holds ======> receivers' pipe =====> watched by senders    know who is the last)
class Lifeline {
 public:
  // The sender's and the receiver's.
  static std::pair<Lifeline, Lifeline> open() {
    auto [senders_read, senders_write] = pipe();
    auto [receivers_read, receivers_write] = pipe();
    Lifeline receiver(std::move(receivers_write), receivers_read.duplicate(),
                      senders_read.duplicate());
    return {Lifeline(std::move(senders_write), std::move(senders_read), std::move(receivers_read)),
            std::move(receiver)};
  }

  explicit Lifeline(Parcel& parcel)
      : held_(parcel.take_fd()), own_(parcel.take_fd()), peers_(parcel.take_fd()) {}

  void pack(Parcel& parcel) && {
    parcel.put(std::move(held_));
    parcel.put(std::move(own_));
    parcel.put(std::move(peers_));
  }

  [[nodiscard]] Lifeline clone() const {
    return {held_.duplicate(), own_.duplicate(), peers_.duplicate()};
  }

  [[nodiscard]] bool attached() const { return held_.valid(); }
  // Asks the kernel: one system call.
  [[nodiscard]] bool peers_gone() const { return poll(peers_.get(), 0, Deadline::now()); }
  // For an end in shared memory that has waited until this deadline. Who does not wait but looks
  // again and again asks once in so many looks: a system call each would be most of what it does.
  [[nodiscard]] bool peers_gone(Deadline deadline) {
    constexpr std::uint32_t looks_a_question = 64;
    if (deadline.is_now() && ++looks_ % looks_a_question != 0) return false;
    return peers_gone();
  }
  // Polls as POLLHUP once the peers are gone.
  [[nodiscard]] int peers_fd() const { return peers_.get(); }
  [[nodiscard]] int own_fd() const { return own_.get(); }

  // Lets go. True when this was the last copy of its side (two that leave together may both be
  // told).
  bool leave() {
    held_.reset();
    return poll(own_.get(), 0, Deadline::now());
  }

 private:
  Lifeline(Fd held, Fd own, Fd peers)
      : held_(std::move(held)), own_(std::move(own)), peers_(std::move(peers)) {}

  static std::pair<Fd, Fd> pipe() {
    std::array<int, 2> fds{};
    check("pipe2", [&] { return ::pipe2(fds.data(), O_CLOEXEC); });
    return {Fd(fds[0]), Fd(fds[1])};
  }

  Fd held_;
  Fd own_;
  Fd peers_;
  std::uint32_t looks_ = 0;
};

// Move assignment for an end whose destructor has something to say: the old one is destroyed first.
template <class End>
End& replace(End& old, std::type_identity_t<End>&& next) noexcept {
  if (&old != &next) {
    std::destroy_at(&old);
    std::construct_at(&old, std::move(next));
  }
  return old;
}

}  // namespace ipc
