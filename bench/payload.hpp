// What messages carry, so that a lost, doubled, reordered or altered one is noticed.
//
//   [sequence number: min(8, bytes)][pattern derived from it: the rest]
//
// Inside the clock only the first and the last 8 bytes are written and looked at; Check::everything
// covers each byte and is what the smoke size runs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "ipc/channel.hpp"

namespace bench {

enum class Check { ends, everything };

// Messages are measured, so a wrong one is no outcome: the row must not be published.
class WrongMessage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Payload {
 public:
  // Requires bytes > 0.
  Payload(std::size_t bytes, Check check) : check_(check), bytes_(bytes) { fill(0); }

  // The message with this number; valid until the next call.
  ipc::Bytes message(std::uint64_t sequence) {
    if (check_ == Check::everything) {
      fill(sequence);
    } else {
      put(0, sequence);
      if (bytes_.size() > word) put(tail(), pattern(sequence, tail()));
    }
    return bytes_;
  }

  // Throws WrongMessage unless this is the message with this number.
  void verify(ipc::Bytes got, std::uint64_t sequence) const {
    if (got.size() != bytes_.size()) {
      throw WrongMessage("message " + std::to_string(sequence) + " has " +
                         std::to_string(got.size()) + " bytes, " + std::to_string(bytes_.size()) +
                         " were sent");
    }
    bool right = same(got, 0, sequence);
    if (bytes_.size() > word) right = right && same(got, tail(), pattern(sequence, tail()));
    if (check_ == Check::everything) {
      for (std::size_t at = word; at < bytes_.size(); at += word) {
        right = right && same(got, at, pattern(sequence, at));
      }
    }
    if (!right) wrong(got, sequence);
  }

 private:
  static constexpr std::size_t word = sizeof(std::uint64_t);

  // The last whole word; the second one of a message that has no more.
  [[nodiscard]] std::size_t tail() const { return (bytes_.size() - 1) / word * word; }

  static std::uint64_t pattern(std::uint64_t sequence, std::size_t at) {
    return (sequence + at) * 0x9e3779b97f4a7c15U;  // neighbours differ in most bits
  }

  [[nodiscard]] std::size_t room(std::size_t at) const {
    return std::min(word, bytes_.size() - at);
  }

  // A whole word is one instruction, a part of one is a call: hence two branches that look alike.
  void put(std::size_t at, std::uint64_t value) {
    if (room(at) == word) {
      std::memcpy(bytes_.data() + at, &value, word);
    } else {
      std::memcpy(bytes_.data() + at, &value, room(at));
    }
  }
  [[nodiscard]] bool same(ipc::Bytes got, std::size_t at, std::uint64_t value) const {
    if (room(at) == word) return std::memcmp(got.data() + at, &value, word) == 0;
    return std::memcmp(got.data() + at, &value, room(at)) == 0;
  }

  void fill(std::uint64_t sequence) {
    put(0, sequence);
    for (std::size_t at = word; at < bytes_.size(); at += word) put(at, pattern(sequence, at));
  }

  [[noreturn]] static void wrong(ipc::Bytes got, std::uint64_t sequence) {
    std::uint64_t found = 0;
    std::memcpy(&found, got.data(), std::min(word, got.size()));
    throw WrongMessage("message " + std::to_string(sequence) + " was expected, one with number " +
                       std::to_string(found) +
                       " arrived: lost, doubled, reordered, or altered on the way");
  }

  Check check_;
  std::vector<std::byte> bytes_;
};

}  // namespace bench
