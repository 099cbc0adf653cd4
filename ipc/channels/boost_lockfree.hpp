// Boost.Lockfree's spsc_queue of bytes: a ring between two threads, with an index each.
// https://www.boost.org/doc/libs/release/doc/html/lockfree.html
//
//   frame:  [length: 4 bytes][payload], pushed in one piece
//
// The queue has no way to wait and knows no end: the ends spin, and say goodbye in a flag.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <boost/lockfree/spsc_queue.hpp>

#include "ipc/channel.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_size.hpp"
#include "ipc/wait.hpp"

namespace ipc {

// What the two ends share.
struct BoostSpscShared {
  using Length = std::uint32_t;

  BoostSpscShared(std::size_t capacity_bytes, std::size_t longest)
      : queue(capacity_bytes), capacity(capacity_bytes), message_bytes(longest) {}

  boost::lockfree::spsc_queue<std::byte> queue;
  const std::size_t capacity;
  const std::size_t message_bytes;
  std::atomic<bool> sender_gone{false};
  std::atomic<bool> receiver_gone{false};
};

class BoostSpscSender {
 public:
  explicit BoostSpscSender(std::shared_ptr<BoostSpscShared> shared)
      : shared_(std::move(shared)), frame_(sizeof(Length) + shared_->message_bytes) {}

  BoostSpscSender(BoostSpscSender&&) noexcept = default;
  BoostSpscSender& operator=(BoostSpscSender&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~BoostSpscSender() {
    if (shared_) shared_->sender_gone.store(true, std::memory_order_release);  // partner: receive
  }

  [[nodiscard]] Capacity capacity() const { return {.bytes = shared_->capacity}; }

  Outcome send(Bytes message, Deadline deadline) {
    check_message_size(message.size(), shared_->message_bytes);
    const auto closed = [&] { return shared_->receiver_gone.load(std::memory_order_acquire); };
    const auto length = static_cast<Length>(message.size());
    const std::size_t bytes = sizeof length + message.size();
    const auto ready = [&] { return closed() || shared_->queue.write_available() >= bytes; };
    if (!spin_until(deadline, ready, 1024, relax)) return Outcome::timed_out;
    if (closed()) return Outcome::closed;
    std::memcpy(frame_.data(), &length, sizeof length);
    std::memcpy(frame_.data() + sizeof length, message.data(), message.size());
    shared_->queue.push(frame_.data(), bytes);
    return Outcome::done;
  }

 private:
  using Length = BoostSpscShared::Length;

  std::shared_ptr<BoostSpscShared> shared_;
  std::vector<std::byte> frame_;  // a push is seen as a whole; two would be seen one by one
};

class BoostSpscReceiver {
 public:
  explicit BoostSpscReceiver(std::shared_ptr<BoostSpscShared> shared)
      : shared_(std::move(shared)) {}

  BoostSpscReceiver(BoostSpscReceiver&&) noexcept = default;
  BoostSpscReceiver& operator=(BoostSpscReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~BoostSpscReceiver() {
    if (shared_) shared_->receiver_gone.store(true, std::memory_order_release);  // partner: send
  }

  Received receive(Buffer buffer, Deadline deadline) {
    auto& queue = shared_->queue;
    if (length_ == 0) {
      const auto ready = [&] {
        return queue.read_available() > 0 || shared_->sender_gone.load(std::memory_order_acquire);
      };
      if (!spin_until(deadline, ready, 1024, relax)) return {Outcome::timed_out};
      // What was sent before the sender went is seen now that we know that it went.
      if (queue.read_available() == 0) return {Outcome::closed};
      std::array<std::byte, sizeof length_> length{};
      queue.pop(length.data(), length.size());
      std::memcpy(&length_, length.data(), length.size());
    }
    check_buffer_size(length_, buffer.size());
    queue.pop(buffer.data(), length_);
    return {Outcome::done, std::exchange(length_, 0)};
  }

 private:
  std::shared_ptr<BoostSpscShared> shared_;
  BoostSpscShared::Length length_ = 0;  // of a message that is next, when it did not fit
};

struct BoostLockfreeSpsc {
  static constexpr std::string_view name = "boost_lockfree<spsc_queue>";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .crosses_processes = false,
      .spins = true,
      .wait = "spin",
      .opened_by = "the threads of its process",
  };

  using Sender = BoostSpscSender;
  using Receiver = BoostSpscReceiver;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const std::size_t longest_frame = sizeof(BoostSpscShared::Length) + options.message_bytes;
    auto shared = std::make_shared<BoostSpscShared>(std::max(options.capacity.bytes, longest_frame),
                                                    options.message_bytes);
    Sender sender(shared);
    return {std::move(sender), Receiver(std::move(shared))};
  }
};

static_assert(Channel<BoostLockfreeSpsc>);

}  // namespace ipc
