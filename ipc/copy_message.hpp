// Copying what is mostly short, where a call would show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace ipc {

// Copies a message. Short ones go word by word: that is no call, and a wide load of what was stored
// in words a moment ago would wait for the store buffer. Requires bytes > 0.
inline void copy_message(std::byte* to, const std::byte* from, std::size_t bytes) {
  constexpr std::size_t word = sizeof(std::uint64_t);
  const auto copy_word = [&](std::size_t at) { std::memcpy(to + at, from + at, word); };
  if (bytes < word || bytes > 8 * word) {
    std::memcpy(to, from, bytes);
    return;
  }
  // Every word that is followed by another byte, then the last one, which may overlap.
  [&]<std::size_t... index>(std::index_sequence<index...>) {
    static_cast<void>(((bytes > (index + 1) * word && (copy_word(index * word), true)) && ...));
  }
  (std::make_index_sequence<7>());
  copy_word(bytes - word);
}

}  // namespace ipc
