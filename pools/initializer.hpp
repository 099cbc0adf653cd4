// What each worker does once, before its first task: a function and its arguments, as a task has
// them (pools/call.hpp).
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

#include "pools/call.hpp"

namespace pools {

class Initializer {
 public:
  Initializer() = default;

  // Options{.initializer = {open_database, name}}
  template <class F, class... Args>
  requires(!std::same_as<std::decay_t<F>, Initializer> && Callable<F, Args...>)
      Initializer(F&& function, Args&&... args) {
    Writer call;
    encode_call(call, std::forward<F>(function), std::forward<Args>(args)...);
    call_.assign(call.bytes().begin(), call.bytes().end());
  }
  explicit Initializer(std::vector<std::byte> call) : call_(std::move(call)) {}

  [[nodiscard]] bool given() const { return !call_.empty(); }
  // To take it to another process, and make one of it there.
  [[nodiscard]] const std::vector<std::byte>& call() const { return call_; }

  // Calls the function, when there is one. Throws what it throws, as a task's exception comes back.
  void operator()() const {
    if (!given()) return;
    Reader call(call_);
    Writer answer;
    answer_call(call, answer);
    Reader result(answer.bytes());
    if (!decode<bool>(result)) std::rethrow_exception(decode_exception(result));
  }

 private:
  std::vector<std::byte> call_;
};

}  // namespace pools
