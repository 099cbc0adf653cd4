// The refusals that every mechanism words alike: what, which limit, what to do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"

namespace ipc {

// Throws std::invalid_argument when a channel cannot be opened for such messages.
inline void check_options(std::string_view channel, const Traits& traits, const Options& options) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument(std::string(channel) + ": " + why);
  };
  if (options.message_bytes == 0) refuse("message_bytes is 0; a message is at least 1 byte");
  if (options.message_bytes > traits.message_bytes_max) {
    refuse("message_bytes is " + std::to_string(options.message_bytes) +
           ", the mechanism carries " + std::to_string(traits.message_bytes_max) +
           " at most; choose another channel or cut the message");
  }
  if (options.capacity.messages == 0) refuse("capacity.messages is 0; one is the least");
}

// How many places a mechanism has, each for the longest message: as many as were asked for, if they
// fit the bytes that were asked for; one at least.
inline std::size_t places_for(const Options& options) {
  return std::clamp(options.capacity.bytes / options.message_bytes, std::size_t{1},
                    options.capacity.messages);
}

// Throws unless 1 <= message <= limit. Nothing was sent then.
inline void check_message_size(std::size_t message, std::size_t limit) {
  if (message == 0) {
    throw std::invalid_argument("a message of 0 bytes cannot be sent; 1 byte is the least");
  }
  if (message > limit) {
    throw std::length_error("a message of " + std::to_string(message) +
                            " bytes is longer than this channel's " + std::to_string(limit) +
                            "; open it with larger Options::message_bytes");
  }
}

// Throws when the next message does not fit. The message stays.
inline void check_buffer_size(std::size_t message, std::size_t room) {
  if (message > room) {
    throw std::length_error("the next message has " + std::to_string(message) +
                            " bytes, the buffer has room for " + std::to_string(room) +
                            "; receive it with a larger one");
  }
}

}  // namespace ipc
