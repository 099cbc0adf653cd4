// A worker process: takes tasks from one channel and sends the answers over another.
#pragma once

#include <memory>
#include <optional>

#include "ipc/any_channel.hpp"
#include "ipc/parcel.hpp"
#include "pools/arena.hpp"
#include "pools/board.hpp"
#include "pools/message.hpp"

namespace pools {

// The life of a worker process (WorkerMain). The order has what put_worker_order() puts there.
void worker_main(std::size_t worker, Board& board, ipc::Parcel& order);
// Followed by the worker's ends of the channels.
void put_worker_order(ipc::Parcel& order, const ipc::AnyChannel& channel, std::size_t piece_bytes);

class Worker {
 public:
  // Unpacks what WorkerLink::open() packed.
  Worker(const ipc::AnyChannel& channel, ipc::Parcel& ends, Board& board, WorkerSlot& slot,
         std::size_t piece_bytes);

  // Until the pool says stop, or is gone.
  void serve();

 private:
  std::optional<ipc::Bytes> next();
  void answer(const MessageHeader& task, ipc::Bytes message, Writer& answer);
  bool send(Writer& answer, std::uint64_t task);
  [[nodiscard]] ipc::Deadline patience() const;

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
};

}  // namespace pools
