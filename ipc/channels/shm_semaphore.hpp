// sem_overview(7): shared memory and three semaphores of glibc, process-shared, as in the textbook:
// one counts the messages, one the places for them, one is the lock. As it comes: nobody gives back
// what a process held when it was killed.
#pragma once

#include <semaphore.h>

#include "ipc/locked_fifo.hpp"
#include "ipc/mapping.hpp"

namespace ipc {

struct ShmSemaphore {
  static constexpr std::string_view name = "shm_semaphore";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .waiter_may_be_killed = false,
      .wait = "semaphore",
  };

  // sem_init(3), in shared memory.
  class Semaphore {
   public:
    explicit Semaphore(std::size_t count) {
      check("sem_init", [&] { return ::sem_init(&semaphore_, 1, static_cast<unsigned>(count)); });
    }
    // Not destroyed: other processes may still use it, and on Linux there is nothing to release.

    // False at the deadline.
    bool take(Deadline deadline) {
      const timespec at =
          deadline.is_never() || deadline.is_now() ? timespec{} : deadline.absolute();
      const int taken = retry_interrupted([&] {
        if (deadline.is_never()) return ::sem_wait(&semaphore_);
        if (deadline.is_now()) return ::sem_trywait(&semaphore_);
        return ::sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &at);
      });
      if (taken == -1 && errno != ETIMEDOUT && errno != EAGAIN) throw_errno("sem_wait");
      return taken == 0;
    }
    void give() { ::sem_post(&semaphore_); }

   private:
    sem_t semaphore_;
  };

  class Sync {
   public:
    static constexpr std::string_view kind = "fifo<semaphore>";
    static constexpr bool counts_messages = true;

    explicit Sync(std::size_t messages) : room_(messages) {}

    template <class Ready>
    bool enter_to_push(Ready&&, Deadline deadline) {
      return enter(room_, deadline);
    }
    template <class Ready>
    bool enter_to_pop(Ready&&, Deadline deadline) {
      return enter(messages_, deadline);
    }
    void leave_push(bool pushed) {
      lock_.give();
      (pushed ? messages_ : room_).give();
    }
    void leave_pop(bool popped) {
      lock_.give();
      (popped ? room_ : messages_).give();
    }
    // One that is given to nobody goes from hand to hand: who finds the end gives it back.
    void free_senders() { room_.give(); }
    void free_receivers() { messages_.give(); }

   private:
    bool enter(Semaphore& count, Deadline deadline) {
      if (!count.take(deadline)) return false;
      if (lock_.take(deadline)) return true;
      count.give();
      return false;
    }

    Semaphore lock_{1};
    Semaphore messages_{0};
    Semaphore room_;
  };

  using Sender = LockedFifoSender<Sync, Mapping>;
  using Receiver = LockedFifoReceiver<Sync, Mapping>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return open_locked_fifo<Sync>(Mapping::create(LockedFifo<Sync>::bytes_for(options)),
                                  Lifeline::open(), options,
                                  LockedFifo<Sync>::messages_for(options));
  }
};

static_assert(Channel<ShmSemaphore>);

}  // namespace ipc
