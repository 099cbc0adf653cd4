// A task's exception, on its way back: the standard's own types are thrown again as themselves,
// everything else as RemoteError.
#pragma once

#include <any>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
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

// Writes what is being handled. Requires to be called in a handler.
void encode_current_exception(Writer& out);

// Throws std::runtime_error when the bytes are not an exception.
std::exception_ptr decode_exception(Reader& in);

}  // namespace pools
