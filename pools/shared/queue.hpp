// Queues between processes: any number that put, any number that get, first in first out, in
// shared memory. No thread stands in between: what was put is there for the others at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/deadline.hpp"
#include "ipc/parcel.hpp"
#include "pools/codec.hpp"
#include "pools/shared/delivered.hpp"
#include "pools/shared/item_ring.hpp"
#include "pools/shared/shared.hpp"

namespace pools {

// What it holds at most: so many items, and so many bytes of them together.
struct QueueOptions {
  std::size_t items = 128;
  std::size_t bytes = 0;  // 0: whatever so many plain values take; 256 KiB of others
};

// What a queue does with bytes; see SimpleQueue.
class ByteQueue {
 public:
  explicit ByteQueue(QueueOptions options);
  explicit ByteQueue(ipc::Parcel& parcel);
  void pack(ipc::Parcel& parcel) const { state_.pack(parcel); }

  ipc::Outcome put(ipc::Bytes item, ipc::Deadline deadline);
  ipc::Outcome get(std::vector<std::byte>& item, ipc::Deadline deadline);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t items_max() const { return ring_.items_max(); }
  void close();

  void task_done();
  [[nodiscard]] bool join(ipc::Deadline deadline);

 private:
  Shared<QueueState> state_;
  ItemRing ring_;
};

// One user's handle, as Shared is one. Threads share it. Who puts or gets may be killed at any
// instant: an item is there or not, whole, and others go on. One that a killed process had got is
// gone with it.
template <class T>
class SimpleQueue {
 public:
  explicit SimpleQueue(QueueOptions options = {}) : queue_(with_bytes(options)) {}
  explicit SimpleQueue(ipc::Parcel& parcel) : queue_(parcel) {}
  void pack(ipc::Parcel& parcel) const { queue_.pack(parcel); }

  // Waits for room. Timed out or closed: nothing was put. So also when it throws: what encoding
  // throws, and std::length_error for an item that is longer than all the room.
  ipc::Outcome put(const T& item, ipc::Deadline deadline = ipc::Deadline::never()) {
    Writer out;
    encode(out, item);
    return queue_.put(out.bytes(), deadline);
  }
  // Waits for an item. When decoding throws, that item is gone.
  [[nodiscard]] Delivered<T> get(ipc::Deadline deadline = ipc::Deadline::never()) {
    std::vector<std::byte> item;
    const ipc::Outcome outcome = queue_.get(item, deadline);
    return delivered<T>(outcome, item);
  }
  [[nodiscard]] bool empty() const { return queue_.size() == 0; }

  // Nobody puts any more, in whatever process; who gets is given what is left, and then `closed`.
  void close() { queue_.close(); }

 protected:
  ByteQueue queue_;

 private:
  static QueueOptions with_bytes(QueueOptions options) {
    if (options.bytes == 0) {
      options.bytes = PlainBytes<T> ? options.items * sizeof(T) : std::size_t{256} << 10;
    }
    return options;
  }
};

// The same with a size, and with a count of the items that are not done.
template <class T>
class Queue : public SimpleQueue<T> {
 public:
  using SimpleQueue<T>::SimpleQueue;

  // Exact at some instant of the call.
  [[nodiscard]] std::size_t size() const { return this->queue_.size(); }
  // As many items as it may have; there may be no room for a long one before.
  [[nodiscard]] bool full() const { return size() == this->queue_.items_max(); }

  // Of an item that was put, the work is done. Throws std::logic_error when that was said for all.
  void task_done() { this->queue_.task_done(); }
  // Waits until all that was put is done; false at the deadline. What was got by a process that is
  // killed is never done: give a deadline.
  [[nodiscard]] bool join(ipc::Deadline deadline = ipc::Deadline::never()) {
    return this->queue_.join(deadline);
  }
};

}  // namespace pools
