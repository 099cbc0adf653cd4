// eventfd(2): a counter in the kernel that is read as a whole.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "ipc/fd.hpp"
#include "ipc/notifier.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct EventfdNotifier {
  static constexpr std::string_view name = "eventfd";

  class Bell {
   public:
    explicit Bell(Fd fd) : fd_(std::move(fd)) {}
    explicit Bell(Parcel& parcel) : fd_(parcel.take_fd()) {}
    void pack(Parcel& parcel) && { parcel.put(std::move(fd_)); }

    void notify() {
      const std::uint64_t one = 1;
      check("write(eventfd)", [&] { return ::write(fd_.get(), &one, sizeof one); });
    }

   private:
    Fd fd_;
  };

  class Waiter {
   public:
    explicit Waiter(Fd fd) : fd_(std::move(fd)) {}
    explicit Waiter(Parcel& parcel) : fd_(parcel.take_fd()) {}
    void pack(Parcel& parcel) && { parcel.put(std::move(fd_)); }

    bool wait(Deadline deadline) {
      // Nobody else reads it: what was ready stays so.
      if (!deadline.is_never() && !poll(fd_.get(), POLLIN, deadline)) return false;
      std::uint64_t count = 0;
      check("read(eventfd)", [&] { return ::read(fd_.get(), &count, sizeof count); });
      return true;
    }

   private:
    Fd fd_;
  };

  static std::pair<Bell, Waiter> open() {
    Fd fd(check("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); }));
    Bell bell(fd.duplicate());
    return {std::move(bell), Waiter(std::move(fd))};
  }
};

static_assert(Notifier<EventfdNotifier>);

}  // namespace ipc
