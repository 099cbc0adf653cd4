// futex(2): a word of shared memory. No system call for a notification that is not waited for yet.
#pragma once

#include "ipc/futex.hpp"
#include "ipc/notifier.hpp"

namespace ipc {

struct FutexNotifier {
  static constexpr std::string_view name = "futex";

  class Bell : public MappedEnd {
   public:
    using MappedEnd::MappedEnd;

    void notify() {
      auto& word = mapping_.as<FutexWord>();
      // Release: what we wrote is visible to the side that is told. Partner: wait.
      if (word.exchange(notified, std::memory_order_release) == quiet) futex_wake(word, 1);
    }
  };

  class Waiter : public MappedEnd {
   public:
    using MappedEnd::MappedEnd;

    bool wait(Deadline deadline) {
      auto& word = mapping_.as<FutexWord>();
      for (bool in_time = true;;) {
        if (word.exchange(quiet, std::memory_order_acquire) == notified) return true;
        if (!in_time) return false;
        in_time = futex_wait(word, quiet, deadline);
      }
    }
  };

  static std::pair<Bell, Waiter> open() {
    auto mapping = Mapping::create(sizeof(FutexWord));
    auto same = Mapping::attach(mapping.fd().duplicate());
    return {Bell(std::move(mapping)), Waiter(std::move(same))};
  }

 private:
  static constexpr std::uint32_t quiet = 0;
  static constexpr std::uint32_t notified = 1;
};

static_assert(Notifier<FutexNotifier>);

}  // namespace ipc
