// boost::interprocess::managed_shared_memory with its interprocess_mutex and
// interprocess_condition: what the textbook does with shared memory, written down once. As it
// comes: its condition variable is glibc's and hangs after a waiter was killed (bug 21422).
#pragma once

#include <memory>

#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include "ipc/boost_names.hpp"
#include "ipc/condvar_sync.hpp"
#include "ipc/locked_fifo.hpp"

namespace ipc {

struct BoostShm {
  static constexpr std::string_view name = "boost_shm";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .waiter_may_be_killed = false,
      .tries_without_waiting = false,  // who signals may wait for a waiter that was killed
      .wait = "condition variable",
      .outlives_crash = "the name of ends that are handed over, if its guardian is killed too",
  };

  struct Interprocess {
    static constexpr std::string_view kind = "fifo<boost>";

    class Mutex {
     public:
      void lock() {
        boost_call("interprocess_mutex::lock", [&] { mutex_.lock(); });
      }
      bool try_lock() {
        return boost_call("interprocess_mutex::try_lock", [&] { return mutex_.try_lock(); });
      }
      void unlock() { mutex_.unlock(); }
      boost::interprocess::interprocess_mutex& native() { return mutex_; }

     private:
      boost::interprocess::interprocess_mutex mutex_;
    };

    class Condition {
     public:
      void wait(Mutex& mutex) {
        boost::interprocess::scoped_lock lock(mutex.native(),
                                              boost::interprocess::accept_ownership);
        condition_.wait(lock);
        lock.release();
      }
      void notify_all() { condition_.notify_all(); }

     private:
      boost::interprocess::interprocess_condition condition_;
    };
  };

  // A managed segment with one block in it, which is found by its handle.
  class Memory {
   public:
    using Segment = boost::interprocess::managed_shared_memory;

    Memory(BoostName name, std::size_t bytes)
        : name_(name), segment_(boost_call("managed_shared_memory(create_only)", [&] {
            return Segment(boost::interprocess::create_only, name_.c_str(), bytes + bookkeeping,
                           nullptr, BoostName::owner_only());
          })) {
      void* block = segment_.allocate_aligned(bytes, 64);
      segment_.construct<Block>("fifo")(Block{segment_.get_handle_from_address(block), bytes});
    }
    explicit Memory(Parcel& parcel)
        : name_(parcel), segment_(boost_call("managed_shared_memory(open_only)", [&] {
            return Segment(boost::interprocess::open_only, name_.c_str());
          })) {}
    void pack(Parcel& parcel) const { name_.pack(parcel); }

    [[nodiscard]] Buffer bytes() const {
      const Block block = *segment_.find<Block>("fifo").first;
      if (block.at < 0 || block.bytes > segment_.get_size() ||
          static_cast<std::size_t>(block.at) > segment_.get_size() - block.bytes) {
        throw_damaged("its block does not lie inside of it");
      }
      return {static_cast<std::byte*>(segment_.get_address_from_handle(block.at)), block.bytes};
    }

   private:
    static constexpr std::size_t bookkeeping = 4096;  // the segment's own
    struct Block {
      Segment::handle_t at;
      std::size_t bytes;
    };

    BoostName name_;
    mutable Segment segment_;  // its find() is not const
  };

  using Sync = CondvarSync<Interprocess>;
  using Sender = LockedFifoSender<Sync, Memory>;
  using Receiver = LockedFifoReceiver<Sync, Memory>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto lifelines = Lifeline::open();
    const BoostName object;
    Memory memory(object, LockedFifo<Sync>::bytes_for(options));
    object.opened(options.handed_over, lifelines.first);
    return open_locked_fifo<Sync>(std::move(memory), std::move(lifelines), options);
  }
};

static_assert(Channel<BoostShm>);

}  // namespace ipc
