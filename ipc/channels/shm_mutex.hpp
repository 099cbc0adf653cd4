// Shared memory under a robust mutex; who has to wait sleeps on an eventcount. Whoever is killed,
// at whatever point, harms nobody else.
#pragma once

#include <memory>

#include "ipc/eventcount.hpp"
#include "ipc/locked_fifo.hpp"
#include "ipc/mapping.hpp"
#include "ipc/locks/robust_mutex.hpp"

namespace ipc {

struct ShmMutex {
  static constexpr std::string_view name = "shm_mutex";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .tries_without_waiting = false,  // a lock is held meanwhile
      .wait = "futex",
  };

  class Sync {
   public:
    // owner_died needs no repair: see MessageFifo.
    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }

    template <class Ready>
    bool await_message(Ready&& ready, Deadline deadline) {
      return message_.await(ready, deadline);
    }
    template <class Ready>
    bool await_room(Ready&& ready, Deadline deadline) {
      return room_.await(ready, deadline);
    }
    void notify_message() { message_.notify_all(); }
    void notify_room() { room_.notify_all(); }

   private:
    RobustMutex mutex_;
    Eventcount message_;
    Eventcount room_;
  };

  class Memory {
   public:
    explicit Memory(const Options& options)
        : mapping_(std::make_shared<const Mapping>(
              Mapping::create(LockedFifo<Sync>::bytes_for(options)))) {
      new (mapping_->data()) LockedFifo<Sync>(LockedFifo<Sync>::capacity_for(options));
    }
    explicit Memory(Parcel& parcel)
        : mapping_(std::make_shared<const Mapping>(Mapping::attach(parcel.take_fd()))) {}
    void pack(Parcel& parcel) && { parcel.put(mapping_->fd().duplicate()); }
    [[nodiscard]] Memory clone() const { return *this; }
    [[nodiscard]] LockedFifo<Sync>& shared() const { return mapping_->as<LockedFifo<Sync>>(); }

   private:
    std::shared_ptr<const Mapping> mapping_;  // both ends of a process use one
  };

  using Sender = LockedFifoSender<Memory>;
  using Receiver = LockedFifoReceiver<Memory>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return open_locked_fifo(Memory(options), Lifeline::open(), options.message_bytes);
  }
};

static_assert(Channel<ShmMutex>);

}  // namespace ipc
