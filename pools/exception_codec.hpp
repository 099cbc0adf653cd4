// A task's exception, on its way back: the standard's own types, and those that the pool was told
// of (Options::exceptions), are thrown again as themselves, everything else as RemoteError.
#pragma once

#include <any>
#include <concepts>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <variant>

#include "ipc/type_list.hpp"
#include "pools/codec.hpp"
#include "pools/errors.hpp"

namespace pools {

// Made from their text.
using TextErrors = ipc::TypeList<std::runtime_error, std::range_error, std::overflow_error,
                                 std::underflow_error, std::logic_error, std::domain_error,
                                 std::invalid_argument, std::length_error, std::out_of_range>;
// Made from nothing.
using PlainErrors =
    ipc::TypeList<std::bad_alloc, std::bad_array_new_length, std::bad_cast, std::bad_any_cast,
                  std::bad_function_call, std::bad_optional_access, std::bad_variant_access>;

// Knows some types of exceptions: writes what is being handled, and how the parent makes it again.
// False for what is of another type, one derived from these included. Requires to be called in a
// handler. Throws what encoding throws.
using ExceptionTypes = bool (*)(Writer& out);

namespace detail {

// Makes an exception of what follows it in an answer.
using ExceptionMaker = std::exception_ptr (*)(Reader& in);

[[nodiscard]] bool is_current_exception(const std::type_info& type);
void encode_listed(Writer& out, ExceptionMaker maker);

template <class E>
concept Encodable = PlainBytes<E> || Serializable<E>;

template <class E>
std::exception_ptr make_exception(Reader& in) {
  if constexpr (Encodable<E>) {
    return std::make_exception_ptr(decode<E>(in));
  } else {
    return std::make_exception_ptr(E(decode<std::string>(in)));
  }
}

template <class E>
bool encode_if_current(Writer& out) {
  static_assert(Encodable<E> || (std::derived_from<E, std::exception> &&
                                 std::constructible_from<E, std::string>),
                "this exception cannot cross processes: it has to be default constructible with a "
                "serialize() for cereal, or constructible from its what()");
  if (!is_current_exception(typeid(E))) return false;
  encode_listed(out, &make_exception<E>);
  try {
    throw;
  } catch (const E& error) {
    if constexpr (Encodable<E>) {
      encode<E>(out, error);
    } else {
      encode(out, std::string(error.what()));
    }
  }
  return true;
}

template <class... E>
bool encode_one_of(Writer& out) {
  return (encode_if_current<E>(out) || ...);
}

}  // namespace detail

// Options{.exceptions = exception_types<ParseError, IoError>}. With a serialize() for cereal they
// keep their members; without one they are made from their what().
template <class... E>
inline constexpr ExceptionTypes exception_types = &detail::encode_one_of<E...>;

// Writes what is being handled. One of `listed` that cannot be encoded becomes a RemoteError.
// Requires to be called in a handler.
void encode_current_exception(Writer& out, ExceptionTypes listed = nullptr);

// Throws std::runtime_error when the bytes are not an exception, and what a listed one's own
// decoding throws.
std::exception_ptr decode_exception(Reader& in);

}  // namespace pools
