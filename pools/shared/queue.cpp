#include "pools/shared/queue.hpp"

#include <stdexcept>
#include <string>

namespace pools {

namespace {

constexpr auto relaxed = std::memory_order_relaxed;  // inside the monitor

void nothing_to_rescue() {}

QueueOptions checked(QueueOptions options) {
  if (options.items == 0 || options.bytes == 0) {
    throw std::invalid_argument("a queue for 0 items or 0 bytes; 1 is the least");
  }
  return options;
}

}  // namespace

ByteQueue::ByteQueue(QueueOptions options)
    : state_(Shared<QueueState>::Room{ItemRing::bytes_for(checked(options).items, options.bytes)},
             options.items, options.bytes),
      ring_(*state_, state_.room()) {}

ByteQueue::ByteQueue(ipc::Parcel& parcel) : state_(parcel), ring_(*state_, state_.room()) {}

ipc::Outcome ByteQueue::put(ipc::Bytes item, ipc::Deadline deadline) {
  if (item.size() > ring_.bytes_max()) {
    throw std::length_error("an item of " + std::to_string(item.size()) +
                            " bytes is longer than all the room of its queue, " +
                            std::to_string(ring_.bytes_max()) +
                            "; make it with larger QueueOptions::bytes");
  }
  auto outcome = ipc::Outcome::timed_out;
  state_->monitor.when(
      state_->room, [&] { return state_->closed.raised() || ring_.has_room(item.size()); },
      nothing_to_rescue, deadline,
      [&] {
        outcome = state_->closed.raised() ? ipc::Outcome::closed : ipc::Outcome::done;
        if (outcome == ipc::Outcome::closed) return;
        ring_.push(item);
        Monitor::notify(state_->item);
      });
  return outcome;
}

ipc::Outcome ByteQueue::get(std::vector<std::byte>& item, ipc::Deadline deadline) {
  auto outcome = ipc::Outcome::timed_out;
  state_->monitor.when(
      state_->item, [&] { return ring_.size() > 0 || state_->closed.raised(); }, nothing_to_rescue,
      deadline,
      [&] {
        outcome = ring_.size() > 0 ? ipc::Outcome::done : ipc::Outcome::closed;
        if (outcome == ipc::Outcome::closed) return;
        ring_.pop(item);
        Monitor::notify(state_->room);
      });
  return outcome;
}

std::size_t ByteQueue::size() const {
  return state_->monitor.with([this] { return ring_.size(); });
}

void ByteQueue::close() {
  state_->monitor.with([this] {
    state_->closed.raise();
    Monitor::notify(state_->item);
    Monitor::notify(state_->room);
  });
}

void ByteQueue::task_done() {
  state_->monitor.with([this] {
    const std::uint64_t done = state_->done.load(relaxed);
    const std::uint64_t put = state_->put.load(relaxed);
    if (done == put) {
      throw std::logic_error("task_done was called more often than items were put");
    }
    state_->done.store(done + 1, relaxed);
    if (done + 1 == put) Monitor::notify(state_->all_done);
  });
}

bool ByteQueue::join(ipc::Deadline deadline) {
  return state_->monitor.when(
      state_->all_done, [this] { return state_->done.load(relaxed) == state_->put.load(relaxed); },
      nothing_to_rescue, deadline, [] {});
}

}  // namespace pools
