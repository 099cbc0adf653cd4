// Messages that can be checked: the content follows from a number and a size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ipc/channel.hpp"
#include "tests/channel_peers.hpp"

namespace tests {

// splitmix64 (Steele, Lea, Flood 2014): one step.
inline std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

inline void fill(ipc::Buffer message, std::uint64_t number) {
  for (std::size_t at = 0; at < message.size(); at += sizeof number) {
    const std::uint64_t word = mix(number * 1000003U + at);
    std::memcpy(message.data() + at, &word, std::min(sizeof word, message.size() - at));
  }
}

inline bool matches(ipc::Bytes message, std::uint64_t number) {
  for (std::size_t at = 0; at < message.size(); at += sizeof number) {
    const std::uint64_t word = mix(number * 1000003U + at);
    if (std::memcmp(message.data() + at, &word, std::min(sizeof word, message.size() - at)) != 0) {
      return false;
    }
  }
  return true;
}

inline std::vector<std::byte> message(std::uint64_t number, std::size_t size) {
  std::vector<std::byte> bytes(size);
  fill(bytes, number);
  return bytes;
}

// Sends message `number`; throws when the channel does not take it.
template <class Sender>
void send_number(Sender& sender, std::uint64_t number, std::size_t size,
                 ipc::Deadline deadline = ipc::Deadline::never()) {
  require(sender.send(message(number, size), deadline) == ipc::Outcome::done,
          "message " + std::to_string(number) + " was not sent");
}

// Receives a message and throws unless it is `number`, whole, and of this size.
template <class Receiver>
void expect_number(Receiver& receiver, std::uint64_t number, std::size_t size,
                   ipc::Deadline deadline = ipc::Deadline::never()) {
  std::vector<std::byte> buffer(size + 64);
  const auto received = receiver.receive(buffer, deadline);
  const std::string which = "message " + std::to_string(number);
  require(received.outcome == ipc::Outcome::done, which + " did not come");
  require(received.size == size,
          which + " has " + std::to_string(received.size) + " bytes, not " + std::to_string(size));
  require(matches(ipc::Bytes(buffer).first(size), number), which + " is not what was sent");
}

template <class Receiver>
void expect_closed(Receiver& receiver, ipc::Deadline deadline = ipc::Deadline::never()) {
  std::vector<std::byte> buffer(std::size_t{128} << 10);
  require(receiver.receive(buffer, deadline).outcome == ipc::Outcome::closed,
          "the stream did not end");
}

}  // namespace tests
