// boost::interprocess::message_queue: messages in named shared memory, under a mutex and condition
// variables. As it comes, faults included: with Boost 1.74 the survivor of a peer that was killed
// inside the queue hangs, with 1.78 and newer it gets an exception and the queue is lost; and
// glibc's condition variable hangs after a waiter was killed (bug 21422).
#pragma once

#include <algorithm>
#include <memory>

#include <boost/interprocess/ipc/message_queue.hpp>

#include "ipc/boost_names.hpp"
#include "ipc/queue.hpp"

namespace ipc {

struct BoostQueue {
  static constexpr std::string_view name = "boost_queue";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .waiter_may_be_killed = false,
      .tries_without_waiting = false,  // a lock is held meanwhile
      .wait = "condition variable",
      .outlives_crash = "the name of ends that are handed over, if its guardian is killed too",
  };

  class Queue {
   public:
    using Boost = boost::interprocess::message_queue;

    Queue(BoostName name, std::shared_ptr<Boost> queue) : name_(name), queue_(std::move(queue)) {}
    explicit Queue(Parcel& parcel)
        : name_(parcel), queue_(boost_call("message_queue(open_only)", [&] {
            return std::make_shared<Boost>(boost::interprocess::open_only, name_.c_str());
          })) {}
    void pack(Parcel& parcel) && { name_.pack(parcel); }
    [[nodiscard]] Queue clone() const { return {name_, queue_}; }

    void send(Bytes message) {
      boost_call("message_queue::send", [&] { queue_->send(message.data(), message.size(), 0); });
    }
    bool try_send(Bytes message) {
      return boost_call("message_queue::try_send",
                        [&] { return queue_->try_send(message.data(), message.size(), 0); });
    }
    std::size_t receive(Buffer room) {
      std::size_t size = 0;
      unsigned priority = 0;
      boost_call("message_queue::receive",
                 [&] { queue_->receive(room.data(), room.size(), size, priority); });
      return size;
    }
    std::optional<std::size_t> try_receive(Buffer room) {
      std::size_t size = 0;
      unsigned priority = 0;
      const bool got = boost_call("message_queue::try_receive", [&] {
        return queue_->try_receive(room.data(), room.size(), size, priority);
      });
      return got ? std::optional(size) : std::nullopt;
    }

   private:
    BoostName name_;
    std::shared_ptr<Boost> queue_;  // both ends of a process use one mapping
  };

  using Sender = QueueSender<Queue>;
  using Receiver = QueueReceiver<Queue>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto lifelines = Lifeline::open();
    const std::size_t messages = std::clamp<std::size_t>(
        options.capacity.bytes / options.message_bytes, 1, options.capacity.messages);
    const BoostName object;
    auto queue = boost_call("message_queue(create_only)", [&] {
      return std::make_shared<Queue::Boost>(boost::interprocess::create_only, object.c_str(),
                                            messages, options.message_bytes,
                                            BoostName::owner_only());
    });
    object.opened(options.handed_over, lifelines.first);
    return open_queue(Queue(object, std::move(queue)), std::move(lifelines), options.message_bytes,
                      {.bytes = messages * options.message_bytes, .messages = messages});
  }
};

static_assert(Channel<BoostQueue>);

}  // namespace ipc
