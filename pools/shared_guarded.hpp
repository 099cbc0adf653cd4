// Data of several processes that is reachable only through its lock, and stays good when one of
// them is killed inside.
//
//   SharedGuarded<Accounts> accounts(Accounts{}, restore_the_sum);  // before fork()
//   accounts.with([](Accounts& all) { --all.from, ++all.to; });
//
// Who enters leaves a mark beside the data and takes it away on the way out. Whoever gets the lock
// and finds a mark knows that its owner was killed inside, and that the data may be half changed,
// whatever the lock itself knows of that.
#pragma once

#include <atomic>
#include <concepts>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "ipc/lock.hpp"
#include "ipc/locks/robust_mutex.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace pools {

// The data is half changed: a process was killed inside with(), and nobody has repaired it.
class OwnerDied : public std::runtime_error {
 public:
  OwnerDied()
      : std::runtime_error(
            "a process was killed while it changed the shared data; call repair() first") {}
};

// One user's handle. Processes share the data by fork(), or are handed it in a Parcel. Threads of a
// process share one handle, where the lock excludes threads. The data goes with the last handle.
//
// What becomes of the others when a process is killed inside with() is L::traits.owner_death:
// - frees: the next one has the data repaired, or gets OwnerDied. Nothing is lost but the change.
// - breaks: they get std::system_error(ENOTRECOVERABLE).   - blocks: they wait for ever.
template <class T, ipc::Lock L = ipc::RobustMutex>
class SharedGuarded {
  static_assert(L::traits.crosses_processes,
                "SharedGuarded needs a lock that crosses processes; between threads, use Guarded");
  static_assert(std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>,
                "SharedGuarded holds data that means the same in every process: trivially copyable "
                "and standard layout, without pointers into the memory of one of them");

 public:
  // Makes half changed data good again. It must cope with whatever with() does to the data,
  // interrupted anywhere, and with what it has half done itself: it may be killed, too.
  using Repair = std::function<void(T&)>;

  // Without a `repair`, data that was left half changed is refused (OwnerDied) until repair().
  explicit SharedGuarded(const T& data = {}, Repair repair = nullptr)
      : mapping_(ipc::Mapping::create(sizeof(Shared))), repair_(std::move(repair)) {
    new (mapping_.data()) Shared{.lock = {}, .occupied = false, .data = data};
  }

  // In a process that did not inherit it; functions do not travel, so it brings its own. Throws
  // std::runtime_error when the parcel is not what it claims to be.
  explicit SharedGuarded(ipc::Parcel& parcel, Repair repair = nullptr)
      : mapping_(ipc::Mapping::attach(parcel.take_fd())),
        own_lock_(parcel),
        repair_(std::move(repair)) {
    static_cast<void>(shared());
  }
  // Makes one more user. Not from inside with().
  void pack(ipc::Parcel& parcel) const {
    parcel.put(mapping_.fd().duplicate());
    own_lock_.pack(parcel);
  }

  // Calls `function` with the data and returns its result, by value. Holds the lock meanwhile, and
  // waits for it as long as it takes. When `function` throws it has left the data as it wants it to
  // be. Throws OwnerDied, and what the repair throws; then the data stays as it is.
  template <std::invocable<T&> F>
  auto with(F&& function) -> std::invoke_result_t<F, T&> {
    static_assert(!std::is_reference_v<std::invoke_result_t<F, T&>>,
                  "with() returns values: a reference would reach the data without its lock");
    const std::lock_guard hold(lock());
    if (is_marked()) {
      if (!repair_) throw OwnerDied();
      repair_(shared().data);
    }
    const Visit visit(shared().occupied);
    return std::invoke(std::forward<F>(function), shared().data);
  }

  // Calls `function` with the data if it was left half changed, and false if not.
  template <std::invocable<T&> F>
  bool repair(F&& function) {
    const std::lock_guard hold(lock());
    if (!is_marked()) return false;
    std::invoke(std::forward<F>(function), shared().data);
    const Visit over(shared().occupied);
    return true;
  }

 private:
  // In place of a lock that lies elsewhere.
  struct Nothing {
    Nothing() = default;
    explicit Nothing(ipc::Parcel&) {}
    void pack(ipc::Parcel&) const {}
  };
  static constexpr bool lock_in_memory = L::traits.lies_in_memory;
  using SharedLock = std::conditional_t<lock_in_memory, L, Nothing>;
  using OwnLock = std::conditional_t<lock_in_memory, Nothing, L>;

  struct Shared {
    SharedLock lock;
    std::atomic<bool> occupied;
    T data;
  };

  // The mark. A killed process has done everything before some instruction and nothing behind it:
  // for those who come after, the order of the instructions is all that counts, and that is the
  // compiler's.
  class Visit {
   public:
    explicit Visit(std::atomic<bool>& occupied) : occupied_(occupied) {
      occupied_.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // before any change of the data
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() {
      std::atomic_signal_fence(std::memory_order_seq_cst);  // behind every change
      occupied_.store(false, std::memory_order_relaxed);
    }

   private:
    std::atomic<bool>& occupied_;
  };

  [[nodiscard]] Shared& shared() const { return mapping_.template as<Shared>(); }
  [[nodiscard]] L& lock() {
    if constexpr (lock_in_memory) {
      return shared().lock;
    } else {
      return own_lock_;
    }
  }
  // Requires the lock.
  [[nodiscard]] bool is_marked() const { return shared().occupied.load(std::memory_order_relaxed); }

  ipc::Mapping mapping_;
  [[no_unique_address]] OwnLock own_lock_;
  Repair repair_;
};

}  // namespace pools
