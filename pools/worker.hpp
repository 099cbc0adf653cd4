// A worker process: takes tasks from one channel and sends the answers over another.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "ipc/any_channel.hpp"
#include "ipc/parcel.hpp"
#include "pools/board.hpp"
#include "pools/call.hpp"
#include "pools/message.hpp"

namespace pools {

// The life of a worker process (WorkerMain). The order has what put_worker_order() puts there.
void worker_main(std::size_t worker, Board& board, ipc::Parcel& order);
// Followed by the worker's ends of the channels.
void put_worker_order(ipc::Parcel& order, const ipc::AnyChannel& channel, std::size_t piece_bytes);

class Worker {
 public:
  // Unpacks its ends: the receiver of tasks first.
  Worker(const ipc::AnyChannel& channel, ipc::Parcel& ends, Board& board, WorkerSlot& slot,
         std::size_t piece_bytes)
      : waiter_may_be_killed_(channel.traits.waiter_may_be_killed),
        tasks_(channel.unpack_receiver(ends)),
        answers_(channel.unpack_sender(ends)),
        board_(board),
        slot_(slot),
        joiner_(piece_bytes),
        cutter_(piece_bytes) {}

  // Until the pool says stop, or is gone.
  void serve() {
    while (const auto task = next()) {
      const auto number = header_of(*task).task;
      if (number == 0) return;
      slot_.started.store(number,
                          std::memory_order_release);  // partner: the pool, when this is dead
      Reader call(task->subspan(sizeof(MessageHeader)));
      Writer answer(sizeof(MessageHeader));
      answer_call(call, answer);
      set_header(answer.bytes(), number);
      if (!send(answer.bytes())) return;
    }
  }

 private:
  // A wait that may be cut off by SIGKILL at any time must do no harm. Where it would, waits are
  // short, so that a peer that was killed inside the channel is noticed.
  [[nodiscard]] ipc::Deadline patience() const {
    if (waiter_may_be_killed_) return ipc::Deadline::never();
    return ipc::Deadline::in(std::chrono::milliseconds(100));
  }

  std::optional<ipc::Bytes> next() {
    for (;;) {
      const auto [outcome, size] = tasks_.receive(joiner_.room(), patience());
      if (outcome == ipc::Outcome::closed) return std::nullopt;
      if (outcome == ipc::Outcome::timed_out) continue;
      if (joiner_.add(size)) return joiner_.view();
      board_.ring();  // there is room for the next piece
    }
  }

  bool send(ipc::Bytes answer) {
    for (cutter_.begin(answer); !cutter_.done();) {
      const auto outcome = answers_.send(cutter_.piece(), patience());
      if (outcome == ipc::Outcome::closed) return false;
      if (outcome == ipc::Outcome::timed_out) continue;
      cutter_.sent();
      // After the piece is in the channel: the pool that acquires this finds it there.
      slot_.sent.fetch_add(1, std::memory_order_release);
      board_.ring();
    }
    return true;
  }

  bool waiter_may_be_killed_;
  ipc::AnyReceiver tasks_;
  ipc::AnySender answers_;
  Board& board_;
  WorkerSlot& slot_;
  Joiner joiner_;
  Cutter cutter_;
};

}  // namespace pools
