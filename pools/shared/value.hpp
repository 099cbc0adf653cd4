// One value that processes share.
//
//   SharedValue<long> hits(0);                 // before fork()
//   hits->update([](long n) { return n + 1; });
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ipc/locks/robust_mutex.hpp"
#include "pools/shared/shared.hpp"

namespace pools {

// In shared memory. Each call is one step for all the others, also when its caller is killed in it:
// where the processor has no atomic T, two copies take turns under a robust lock, and one store
// says which of them counts.
template <class T>
class Value {
  static_assert(std::is_trivially_copyable_v<T>,
                "a shared value means the same in every process: trivially copyable, without "
                "pointers into the memory of one of them");

 public:
  static constexpr std::string_view kind = "value";
  static constexpr bool is_lock_free = std::atomic<T>::is_always_lock_free;

  explicit Value(T value = {}) : value_(value) {}

  [[nodiscard]] T load() { return value_.load(); }
  void store(T value) {
    update([&](const T&) { return value; });
  }
  // Replaces the value by function(value) and returns the new one. The function may be called
  // several times; when it throws, nothing is changed.
  template <std::invocable<const T&> F>
  T update(F&& function) requires std::convertible_to<std::invoke_result_t<F, const T&>, T> {
    return value_.update(function);
  }

 private:
  class Atomic {
   public:
    explicit Atomic(T value) : value_(value) {}

    // Acquire: who sees a value sees what was written before it was stored (partner: update).
    [[nodiscard]] T load() const { return value_.load(std::memory_order_acquire); }
    template <class F>
    T update(F& function) {
      T before = load();
      for (;;) {
        const T after = function(std::as_const(before));
        if (value_.compare_exchange_weak(before, after, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
          return after;
        }
      }
    }

   private:
    std::atomic<T> value_;
  };

  class Locked {
   public:
    explicit Locked(T value) : copies_{value, value} {}

    [[nodiscard]] T load() {
      const std::lock_guard hold(mutex_);
      return copies_[current()];
    }
    template <class F>
    T update(F& function) {
      const std::lock_guard hold(mutex_);
      const std::uint32_t next = 1 - current();
      copies_[next] = function(std::as_const(copies_[1 - next]));
      // Release: for who is killed the copy is whole before it counts.
      current_.store(next, std::memory_order_release);
      return copies_[next];
    }

   private:
    // A peer may have written anything there.
    [[nodiscard]] std::uint32_t current() const {
      return current_.load(std::memory_order_relaxed) & 1;
    }

    ipc::RobustMutex mutex_;
    std::array<T, 2> copies_;
    std::atomic<std::uint32_t> current_{0};
  };

  std::conditional_t<is_lock_free, Atomic, Locked> value_;
};

template <class T>
using SharedValue = Shared<Value<T>>;

}  // namespace pools
