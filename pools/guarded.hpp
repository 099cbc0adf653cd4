// Data that is reachable only through its lock.
//
//   Guarded<std::vector<int>> numbers;
//   numbers.with([](std::vector<int>& all) { all.push_back(1); });
#pragma once

#include <concepts>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <type_traits>
#include <utility>

#include "ipc/lock.hpp"

namespace pools {

template <class T, class Lock = std::mutex>
class Guarded {
 public:
  Guarded() = default;
  template <class... Args>
  explicit Guarded(std::in_place_t, Args&&... args) : data_(std::forward<Args>(args)...) {}

  // Calls `function` with the data and returns its result, by value. Holds the lock meanwhile;
  // unlocks also when `function` throws.
  template <std::invocable<T&> F>
  auto with(F&& function) -> std::invoke_result_t<F, T&> {
    check_result<std::invoke_result_t<F, T&>>();
    const std::lock_guard hold(lock_);
    return std::invoke(std::forward<F>(function), data_);
  }

  // The same for reading. Readers share a lock that has lock_shared().
  template <std::invocable<const T&> F>
  auto with(F&& function) const -> std::invoke_result_t<F, const T&> {
    check_result<std::invoke_result_t<F, const T&>>();
    const ReadLock hold(lock_);
    return std::invoke(std::forward<F>(function), data_);
  }

 private:
  using ReadLock =
      std::conditional_t<ipc::SharedLockable<Lock>, std::shared_lock<Lock>, std::lock_guard<Lock>>;

  template <class R>
  static constexpr void check_result() {
    static_assert(!std::is_reference_v<R>,
                  "with() returns values: a reference would reach the data without its lock");
  }

  mutable Lock lock_;
  T data_{};
};

}  // namespace pools
