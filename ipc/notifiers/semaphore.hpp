// A POSIX semaphore without a name, in shared memory (sem_overview(7)).
#pragma once

#include <semaphore.h>

#include <cerrno>

#include "ipc/notifier.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

struct SemaphoreNotifier {
  static constexpr std::string_view name = "semaphore";

  class Bell : public MappedEnd {
   public:
    using MappedEnd::MappedEnd;

    void notify() {
      // EOVERFLOW: it is told already, two thousand million times.
      if (::sem_post(&mapping_.as<sem_t>()) != 0 && errno != EOVERFLOW) throw_errno("sem_post");
    }
  };

  class Waiter : public MappedEnd {
   public:
    using MappedEnd::MappedEnd;

    bool wait(Deadline deadline) {
      sem_t& semaphore = mapping_.as<sem_t>();
      if (!take(semaphore, deadline)) return false;
      while (take(semaphore, Deadline::now())) {
        // All that have come are told as one.
      }
      return true;
    }

   private:
    static bool take(sem_t& semaphore, Deadline deadline) {
      const int taken = retry_interrupted([&] {
        if (deadline.is_never()) return ::sem_wait(&semaphore);
        if (deadline.is_now()) return ::sem_trywait(&semaphore);
        const timespec at = deadline.absolute();
        return ::sem_clockwait(&semaphore, CLOCK_MONOTONIC, &at);
      });
      if (taken == 0) return true;
      if (errno == EAGAIN || errno == ETIMEDOUT) return false;
      throw_errno("sem_clockwait");
    }
  };

  static std::pair<Bell, Waiter> open() {
    auto mapping = Mapping::create(sizeof(sem_t));
    constexpr int between_processes = 1;
    check("sem_init", [&] { return ::sem_init(&mapping.as<sem_t>(), between_processes, 0); });
    auto same = Mapping::attach(mapping.fd().duplicate());
    return {Bell(std::move(mapping)), Waiter(std::move(same))};
  }
};

static_assert(Notifier<SemaphoreNotifier>);

}  // namespace ipc
