// boost::interprocess::managed_shared_memory with its interprocess_mutex and
// interprocess_condition: what the textbook does with shared memory, written down once. As it
// comes: its condition variable is glibc's and hangs after a waiter was killed (bug 21422).
#pragma once

#include <memory>

#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include "ipc/boost_names.hpp"
#include "ipc/locked_fifo.hpp"
#include "ipc/queue.hpp"

namespace ipc {

struct BoostShm {
  static constexpr std::string_view name = "boost_shm";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .waiter_may_be_killed = false,
      .tries_without_waiting = false,  // a lock is held meanwhile
      .wait = "condition variable",
      .outlives_crash = "the name of ends that are handed over, if its guardian is killed too",
  };

  class Sync {
   public:
    void lock() {
      boost_call("interprocess_mutex::lock", [&] { mutex_.lock(); });
    }
    void unlock() { mutex_.unlock(); }

    template <class Ready>
    bool await_message(Ready&& ready, Deadline deadline) {
      return await(message_, ready, deadline);
    }
    template <class Ready>
    bool await_room(Ready&& ready, Deadline deadline) {
      return await(room_, ready, deadline);
    }
    void notify_message() { message_.notify_all(); }
    void notify_room() { room_.notify_all(); }

   private:
    using Condition = boost::interprocess::interprocess_condition;

    template <class Ready>
    bool await(Condition& condition, Ready&& ready, Deadline deadline) {
      if (deadline.is_never()) {
        boost::interprocess::scoped_lock lock(mutex_);
        condition.wait(lock, ready);
        return true;
      }
      // Boost's timed wait goes by the wall clock, so a wait with a deadline looks again and again.
      for (Backoff backoff; !ready();) {
        if (!backoff.wait(deadline)) return false;
      }
      return true;
    }

    boost::interprocess::interprocess_mutex mutex_;
    Condition message_;
    Condition room_;
  };

  class Memory {
   public:
    using Segment = boost::interprocess::managed_shared_memory;

    Memory(BoostName name, std::shared_ptr<Segment> segment)
        : name_(name), segment_(std::move(segment)), shared_(find(*segment_)) {}
    explicit Memory(Parcel& parcel)
        : name_(parcel),
          segment_(boost_call("managed_shared_memory(open_only)",
                              [&] {
                                return std::make_shared<Segment>(boost::interprocess::open_only,
                                                                 name_.c_str());
                              })),
          shared_(find(*segment_)) {}
    void pack(Parcel& parcel) && { name_.pack(parcel); }
    [[nodiscard]] Memory clone() const { return {name_, segment_}; }
    [[nodiscard]] LockedFifo<Sync>& shared() const { return *shared_; }

    // The fifo's bytes must follow it, so it is one allocation, found by its handle.
    static void construct(Segment& segment, const Options& options) {
      void* place = segment.allocate_aligned(LockedFifo<Sync>::bytes_for(options), 64);
      new (place) LockedFifo<Sync>(LockedFifo<Sync>::capacity_for(options));
      segment.construct<Segment::handle_t>("fifo")(segment.get_handle_from_address(place));
    }

   private:
    static LockedFifo<Sync>* find(Segment& segment) {
      const auto handle = segment.find<Segment::handle_t>("fifo").first;
      return static_cast<LockedFifo<Sync>*>(segment.get_address_from_handle(*handle));
    }

    BoostName name_;
    std::shared_ptr<Segment> segment_;  // both ends of a process use one mapping
    LockedFifo<Sync>* shared_;
  };

  using Sender = LockedFifoSender<Memory>;
  using Receiver = LockedFifoReceiver<Memory>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto lifelines = Lifeline::open();
    constexpr std::size_t bookkeeping = 4096;  // the segment's own
    const BoostName object;
    auto segment = boost_call("managed_shared_memory(create_only)", [&] {
      return std::make_shared<Memory::Segment>(boost::interprocess::create_only, object.c_str(),
                                               LockedFifo<Sync>::bytes_for(options) + bookkeeping,
                                               nullptr, BoostName::owner_only());
    });
    object.opened(options.handed_over, lifelines.first);
    Memory::construct(*segment, options);
    return open_locked_fifo(Memory(object, std::move(segment)), std::move(lifelines),
                            options.message_bytes);
  }
};

static_assert(Channel<BoostShm>);

}  // namespace ipc
