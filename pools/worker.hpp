// A worker process: takes tasks from one channel and sends the answers over another.
#pragma once

#include <time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "ipc/any_channel.hpp"
#include "ipc/parcel.hpp"
#include "pools/arena.hpp"
#include "pools/board.hpp"
#include "pools/exception_codec.hpp"
#include "pools/initializer.hpp"
#include "pools/message.hpp"

namespace pools {

struct WorkerSettings {
  std::size_t piece_bytes;
  std::size_t tasks_max;         // 0: no limit
  std::size_t memory_bytes_max;  // 0: no limit
  Initializer initializer;
  ExceptionTypes exceptions;  // null: none
};

// The life of a worker process (WorkerMain). The order has what put_worker_order() puts there.
int worker_main(std::size_t worker, Board& board, ipc::Parcel& order);
// Followed by the worker's ends of the channels.
void put_worker_order(ipc::Parcel& order, const ipc::AnyChannel& channel,
                      const WorkerSettings& settings);

class Worker {
 public:
  // Unpacks what WorkerLink::open() packed.
  Worker(const ipc::AnyChannel& channel, ipc::Parcel& ends, Board& board, WorkerSlot& slot,
         const WorkerSettings& settings);

  // Until the pool says stop or is gone, or until the worker is to be replaced. The exit code.
  int serve();

 private:
  bool initialize();
  std::optional<ipc::Bytes> next();
  ipc::Received receive();
  void answer(const MessageHeader& task, ipc::Bytes message, Writer& answer);
  bool send(Writer& answer, std::uint64_t task);
  void begin(const TaskLimits& limits);
  void end_limits();
  [[nodiscard]] bool used_up() const;
  [[nodiscard]] ipc::Deadline patience() const;

  // Kills this process when a task has run for too long, whatever it does: stopped, too.
  class KillTimer {
   public:
    ~KillTimer();
    void set(std::chrono::nanoseconds from_now);  // 0: off

   private:
    timer_t timer_{};
    bool exists_ = false;
  };

  const WorkerSettings& settings_;
  bool waiter_may_be_killed_;
  ipc::AnyReceiver tasks_;
  ipc::AnySender answers_;
  Board& board_;
  WorkerSlot& slot_;
  Joiner joiner_;
  Cutter cutter_;
  std::optional<Arena> long_tasks_;
  std::shared_ptr<ArenaOwner> long_answers_;  // none: long messages go through the channel
  bool lent_much_ = false;
  // What the last tasks were given, so that to give it again costs nothing. An idle worker has
  // none.
  static constexpr std::size_t memories_max = 8;
  SharedMemories memories_;
  KillTimer kill_timer_;
  std::size_t served_ = 0;
  std::uint64_t received_ = 0;  // pieces
};

}  // namespace pools
