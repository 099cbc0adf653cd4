// sysvipc(7): a System V segment and a System V semaphore set. The semaphores are in the kernel:
// one call takes a place and the lock together, or neither, and the kernel gives back the lock of a
// process that is killed (semop(2), SEM_UNDO). It does not give back the place.
#pragma once

#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ipc/guardian.hpp"
#include "ipc/locked_fifo.hpp"
#include "ipc/mapping.hpp"
#include "ipc/sysctl.hpp"

namespace ipc {

struct SysvShm {
  static constexpr std::string_view name = "sysv_shm";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .waiter_may_be_killed = false,  // one that has been woken has taken a place or a message
      .outlives_crash = "the semaphore set, if its guardian is killed too",
  };

  // A segment, attached.
  class Segment {
   public:
    static Segment create(std::size_t bytes) {
      check_available(bytes);
      const int id = ::shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
      if (id == -1) {
        throw_errno("shmget(" + std::to_string(bytes) + " bytes): kernel.shmmax is " +
                    sysctl("kernel.shmmax") + ", kernel.shmall " + sysctl("kernel.shmall") +
                    " pages, kernel.shmmni " + sysctl("kernel.shmmni") +
                    "; remove segments that nobody uses (ipcs -m, ipcrm -m ID), or raise them "
                    "with sysctl");
      }
      try {
        Segment segment(id);
        segment.reserve();
        return segment;
      } catch (...) {
        remove(id);
        throw;
      }
    }
    static void remove(int id) { ::shmctl(id, IPC_RMID, nullptr); }

    explicit Segment(Parcel& parcel) : Segment(parcel.take<int>()) {}
    void pack(Parcel& parcel) const { parcel.put(id_); }

    Segment(Segment&& other) noexcept
        : id_(other.id_), memory_(std::exchange(other.memory_, Buffer{})) {}
    Segment& operator=(Segment&&) = delete;
    ~Segment() {
      if (memory_.data() != nullptr) ::shmdt(memory_.data());
    }

    [[nodiscard]] int id() const { return id_; }
    [[nodiscard]] Buffer bytes() const { return memory_; }

   private:
    explicit Segment(int id) : id_(id) {
      void* const at = ::shmat(id, nullptr, 0);
      if (at == reinterpret_cast<void*>(-1)) throw_errno("shmat");
      shmid_ds status{};
      const int told = ::shmctl(id, IPC_STAT, &status);
      memory_ = Buffer(static_cast<std::byte*>(at), told == 0 ? status.shm_segsz : 0);
    }

    // Its pages now, so that full memory is an error and not a signal later (madvise(2); kernels
    // before 5.14 do not know it).
    void reserve() const {
      if (::madvise(memory_.data(), memory_.size(), MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
        throw_errno("madvise(MADV_POPULATE_WRITE)");
      }
    }

    int id_;
    Buffer memory_;  // no peer can make a segment smaller
  };

  // The three semaphores of a set. The lock is undone with its process; the counts are not: the
  // kernel would take every message that a process has counted back when it ends.
  class Sync {
   public:
    static constexpr std::string_view kind = "fifo<sysv>";
    static constexpr bool counts_messages = true;
    static constexpr std::size_t messages_max = 32766;  // SEMVMX, less one for the end

    // Lies in shared memory. A peer that writes another set here could use that set by itself.
    explicit Sync(int set) : set_(set) {}

    static int create(std::size_t messages) {
      const int set = ::semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
      if (set == -1) {
        throw_errno("semget: kernel.sem (SEMMSL SEMMNS SEMOPM SEMMNI) is " + sysctl("kernel.sem") +
                    "; remove sets that nobody uses (ipcs -s, ipcrm -s ID), or raise it with "
                    "sysctl");
      }
      std::array<unsigned short, 3> counts{1, 0, static_cast<unsigned short>(messages)};
      ::semctl(set, 0, SETALL, counts.data());
      return set;
    }
    static void remove(int set) { ::semctl(set, 0, IPC_RMID); }

    template <class Ready>
    bool enter_to_push(Ready&&, Deadline deadline) {
      return enter(room, deadline);
    }
    template <class Ready>
    bool enter_to_pop(Ready&&, Deadline deadline) {
      return enter(messages, deadline);
    }
    void leave_push(bool pushed) { leave(pushed ? messages : room); }
    void leave_pop(bool popped) { leave(popped ? room : messages); }
    // One that is given to nobody goes from hand to hand: who finds the end gives it back.
    void free_senders() { give(room); }
    void free_receivers() { give(messages); }

   private:
    using Number = unsigned short;
    static constexpr Number lock = 0;
    static constexpr Number messages = 1;
    static constexpr Number room = 2;

    bool enter(Number count, Deadline deadline) const {
      const short flags = deadline.is_now() ? IPC_NOWAIT : 0;
      std::array both{sembuf{count, -1, flags},
                      sembuf{lock, -1, static_cast<short>(flags | SEM_UNDO)}};
      const int entered = retry_interrupted([&] {
        if (deadline.is_never()) return ::semop(set_, both.data(), both.size());
        const timespec left = deadline.remaining();
        return ::semtimedop(set_, both.data(), both.size(), &left);
      });
      if (entered == -1 && errno != EAGAIN) throw_errno("semop");
      return entered == 0;
    }
    void leave(Number count) const {
      std::array both{sembuf{lock, 1, SEM_UNDO}, sembuf{count, 1, 0}};
      ::semop(set_, both.data(), both.size());
    }
    void give(Number count) const {
      sembuf one{count, 1, 0};
      ::semop(set_, &one, 1);
    }

    int set_;
  };

  using Sender = LockedFifoSender<Sync, Segment>;
  using Receiver = LockedFifoReceiver<Sync, Segment>;

  static std::pair<Sender, Receiver> open(const Options& asked = {}) {
    check_options(name, traits, asked);
    Options options = asked;
    options.capacity.messages = std::min(asked.capacity.messages, Sync::messages_max);
    auto lifelines = Lifeline::open();
    auto segment = Segment::create(LockedFifo<Sync>::bytes_for(options));
    if (options.handed_over) {
      guard(lifelines.first, [id = segment.id()] { Segment::remove(id); });
    } else {
      Segment::remove(segment.id());  // the kernel keeps it until the last process detaches
    }
    const int set = Sync::create(LockedFifo<Sync>::messages_for(options));
    guard(lifelines.first, [set] { Sync::remove(set); });
    return open_locked_fifo<Sync>(std::move(segment), std::move(lifelines), options, set);
  }
};

static_assert(Channel<SysvShm>);

}  // namespace ipc
