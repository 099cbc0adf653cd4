// Shared memory under a robust mutex; who has to wait sleeps on an eventcount. Whoever is killed,
// at whatever point, harms nobody else.
#pragma once

#include "ipc/locked_fifo.hpp"
#include "ipc/mapping.hpp"
#include "ipc/mutex_sync.hpp"

namespace ipc {

struct ShmMutex {
  static constexpr std::string_view name = "shm_mutex";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .wait = "futex",
  };

  using Sync = MutexSync;
  using Sender = LockedFifoSender<Sync, Mapping>;
  using Receiver = LockedFifoReceiver<Sync, Mapping>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    return open_locked_fifo<Sync>(Mapping::create(LockedFifo<Sync>::bytes_for(options)),
                                  Lifeline::open(), options);
  }
};

static_assert(Channel<ShmMutex>);

}  // namespace ipc
