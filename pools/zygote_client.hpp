// A pool's side of its zygote, which it may share with other pools.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "ipc/fd.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"
#include "pools/options.hpp"
#include "pools/zygote.hpp"
#include "pools/zygote_protocol.hpp"

namespace pools {

// Belongs to one thread at a time; nothing here blocks except for confirm(), finish() and stop().
class ZygoteClient {
 public:
  // Makes the zygote that the options ask for, unless they name one. `board` is made before.
  // Throws what the making throws.
  ZygoteClient(const Options& options, const ipc::Mapping& board);
  ZygoteClient(ZygoteClient&&) = delete;
  ~ZygoteClient() { stop(); }

  // The beginning of an order to start `worker`; what `main` takes follows.
  static ipc::Parcel start_order(std::size_t worker, WorkerMain main);

  // These return false when the zygote is gone.
  bool start(const ipc::Parcel& order) const { return order.send(socket_); }
  bool kill(std::size_t worker) const;

  // Waits until the workers that were ordered are there. Throws std::system_error when one could
  // not be started, PoolBroken when the zygote is gone.
  void confirm();

  // The next death, if there is one that was not reported yet.
  std::optional<DeathReport> next_death();

  [[nodiscard]] bool alive() const;
  // Why it is not alive.
  [[nodiscard]] std::string why_gone() const;

  // Waits until the workers, who were told to stop, have ended. Those that have not at the deadline
  // are killed.
  void finish(ipc::Deadline deadline);

  // Kills the workers and waits until they are gone.
  void stop();

 private:
  bool hangs_up(ipc::Deadline deadline) const;

  std::optional<Zygote> own_;
  pid_t pid_;
  ipc::Fd pidfd_;
  ipc::Fd socket_;
  std::deque<DeathReport> deaths_;  // that confirm() has seen
};

}  // namespace pools
