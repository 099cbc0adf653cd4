// What comes out of a Queue or a Pipe.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "ipc/channel.hpp"
#include "pools/codec.hpp"

namespace pools {

// A value when `outcome` is done. Timed out: nothing came before the deadline. Closed: nothing
// will.
template <class T>
struct Delivered {
  ipc::Outcome outcome;
  std::optional<T> value;

  explicit operator bool() const { return value.has_value(); }
  T& operator*() { return *value; }
  T* operator->() { return &*value; }
};

// Throws std::runtime_error when the bytes are not one T, and what a T's own serialize() throws.
template <class T>
Delivered<T> delivered(ipc::Outcome outcome, ipc::Bytes bytes) {
  if (outcome != ipc::Outcome::done) return {outcome, std::nullopt};
  Reader in(bytes);
  Delivered<T> result{outcome, decode<T>(in)};
  if (!in.left().empty()) {
    throw std::runtime_error("message is too long by " + std::to_string(in.left().size()) +
                             " bytes: it was sent as another type");
  }
  return result;
}

}  // namespace pools
