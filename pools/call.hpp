// A task: a function and its arguments, here, as bytes, and in a worker.
#pragma once

#include <exception>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "pools/codec.hpp"
#include "pools/exception_codec.hpp"

namespace pools {

// What a task returns: a value, called with values. Nothing that a task is given or gives back is
// shared with its caller, on threads no more than on processes.
template <class F, class... Args>
using ResultOf = std::decay_t<std::invoke_result_t<std::decay_t<F>&, std::decay_t<Args>...>>;

template <class F, class... Args>
concept Callable = std::invocable < std::decay_t<F>
&, std::decay_t<Args>... > ;

namespace detail {

// The code that runs a task of these types in a worker: the message says where it is. Throws what
// the task throws, and what decoding and encoding throw.
using Thunk = void (*)(Reader& call, Writer& answer);

template <class F, class... Args>
void run_call(Reader& call, Writer& answer) {
  auto function = decode<F>(call);
  // Braces: the arguments are read in the order in which they were written.
  std::tuple<Args...> arguments{decode<Args>(call)...};
  encode(answer, true);
  if constexpr (std::is_void_v<ResultOf<F, Args...>>) {
    std::apply(function, std::move(arguments));
  } else if constexpr (CrossesAsHandle<ResultOf<F, Args...>>) {
    std::apply(function, std::move(arguments)).give_back(call, answer);
  } else {
    encode<ResultOf<F, Args...>>(answer, std::apply(function, std::move(arguments)));
  }
}

}  // namespace detail

// call:   [address of the thunk][function][arguments]
template <class F, class... Args>
void encode_call(Writer& out, F&& function, Args&&... args) {
  using Function = std::decay_t<F>;
  static_assert(std::is_trivially_copyable_v<Function>,
                "the function of a task is copied to the worker as bytes: it has to be a function "
                "pointer or a lambda whose captures are trivially copyable; pass the rest as "
                "arguments");
  const Function& callable = function;
  encode<detail::Thunk>(out, &detail::run_call<Function, std::decay_t<Args>...>);
  encode<Function>(out, callable);
  (encode<std::decay_t<Args>>(out, std::forward<Args>(args)), ...);
}

// In the worker: runs the call, and writes the answer. An exception is an answer: as itself where
// it is one of `listed`.
void answer_call(Reader& call, Writer& answer, ExceptionTypes listed = nullptr);

// The answer of a call that could not be run, or that threw. Requires to be called in a handler.
// Forgets what was written after the first `begin` bytes.
void answer_failure(Writer& answer, std::size_t begin, ExceptionTypes listed = nullptr);

// The exception that an answer holds, or what decoding it throws; null where it holds a result.
inline std::exception_ptr answer_error(Reader answer) {
  try {
    return decode<bool>(answer) ? nullptr : decode_exception(answer);
  } catch (...) {
    return std::current_exception();
  }
}

// answer: [true][result] or [false][exception]. Throws the exception, and what decoding throws.
template <class R>
R decode_answer(Reader& answer) {
  if (!decode<bool>(answer)) std::rethrow_exception(decode_exception(answer));
  if constexpr (!std::is_void_v<R>) return decode<R>(answer);
}

}  // namespace pools
