#include "pools/worker.hpp"

#include <malloc.h>

#include <chrono>
#include <utility>

#include "pools/call.hpp"
#include "pools/code.hpp"

namespace pools {
namespace {

// Arguments and results of some MiB come and go with each task: their pages stay, which costs less
// than new ones (mallopt(3)). Beyond these sizes memory is given back.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

}  // namespace

void put_worker_order(ipc::Parcel& order, const ipc::AnyChannel& channel, std::size_t piece_bytes) {
  order.put(code_address(channel.self));
  order.put(piece_bytes);
}

void worker_main(std::size_t worker, Board& board, ipc::Parcel& order) {
  const auto channel = code_at<decltype(ipc::AnyChannel::self)>(order.take<CodeAddress>())();
  const auto piece_bytes = order.take<std::size_t>();
  Worker(channel, order, board, board.workers[worker], piece_bytes).serve();
}

Worker::Worker(const ipc::AnyChannel& channel, ipc::Parcel& ends, Board& board, WorkerSlot& slot,
               std::size_t piece_bytes)
    : waiter_may_be_killed_(channel.traits.waiter_may_be_killed),
      tasks_(channel.unpack_receiver(ends)),
      answers_(channel.unpack_sender(ends)),
      board_(board),
      slot_(slot),
      joiner_(piece_bytes),
      cutter_(piece_bytes) {
  if (const auto short_bytes = ends.take<std::size_t>(); short_bytes > 0) {
    long_tasks_.emplace(ends);
    long_answers_ = std::make_shared<ArenaOwner>(Arena(ends), short_bytes);
  }
}

void Worker::serve() {
  keep_freed_memory();
  while (const auto message = next()) {
    const MessageHeader task = header_of(*message);
    if (task.task == 0) return;
    slot_.started.store(task.task,
                        std::memory_order_release);  // partner: the pool, when this is dead
    Writer out(sizeof(MessageHeader), long_answers_.get());
    answer(task, *message, out);
    if (!send(out, task.task)) return;
  }
}

// A wait that may be cut off by SIGKILL at any time must do no harm. Where it would, waits are
// short, so that a peer that was killed inside the channel is noticed. They are short too while
// there is memory to be had back.
ipc::Deadline Worker::patience() const {
  if (waiter_may_be_killed_ && !lent_much_) return ipc::Deadline::never();
  return ipc::Deadline::in(std::chrono::milliseconds(100));
}

std::optional<ipc::Bytes> Worker::next() {
  for (;;) {
    const auto [outcome, size] = tasks_.receive(joiner_.room(), patience());
    if (outcome == ipc::Outcome::closed) return std::nullopt;
    if (outcome == ipc::Outcome::timed_out) {
      lent_much_ = long_answers_ != nullptr && long_answers_->sweep();
      continue;
    }
    if (joiner_.add(size)) return joiner_.view();
    board_.ring();  // there is room for the next piece
  }
}

void Worker::answer(const MessageHeader& task, ipc::Bytes message, Writer& out) {
  try {
    if (task.shared.bytes > 0) {
      if (!long_tasks_) throw std::runtime_error("a task in shared memory, and there is none");
      message = long_tasks_->at(task.shared);
    }
    Reader call(body_of(message));
    answer_call(call, out);
  } catch (...) {
    answer_failure(out, sizeof(MessageHeader));
  }
}

bool Worker::send(Writer& answer, std::uint64_t task) {
  cutter_.begin(set_header(answer, task));
  if (answer.block().valid()) lent_much_ = long_answers_->lend(answer.take_block());
  while (!cutter_.done()) {
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

}  // namespace pools
