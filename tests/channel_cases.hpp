// Every channel, between threads and between processes: what parameterized tests run over.
#pragma once

#include <cctype>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/all_channels.hpp"
#include "tests/channel_peers.hpp"

namespace tests {

struct ChannelCase {
  ipc::AnyChannel channel;
  PeerKind peer;
};

// How ctest spells "spsc_ring<futex>", and what comes after it.
inline std::string case_name(std::string_view channel, std::string_view rest = "") {
  std::string name(channel);
  if (name.ends_with('>')) name.pop_back();
  for (char& each : name) {
    if (std::isalnum(static_cast<unsigned char>(each)) == 0) each = '_';
  }
  return name.append(rest);
}

inline std::string name_of(const ChannelCase& each) {
  return case_name(each.channel.name,
                   each.peer == PeerKind::thread ? "_between_threads" : "_between_processes");
}

inline std::vector<ChannelCase> channel_cases(std::span<const ipc::AnyChannel> channels) {
  std::vector<ChannelCase> cases;
  for (const ipc::AnyChannel& channel : channels) cases.push_back({channel, PeerKind::thread});
  for (const ipc::AnyChannel& channel : channels) {
    if (channel.traits.crosses_processes) cases.push_back({channel, PeerKind::process});
  }
  return cases;
}

inline std::vector<ipc::AnyChannel> channels_between_processes() {
  std::vector<ipc::AnyChannel> channels;
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    if (channel.traits.crosses_processes) channels.push_back(channel);
  }
  return channels;
}

// What ctest shows of a case that failed.
inline void PrintTo(const ChannelCase& each,
                    std::ostream* out) {  // NOLINT: the name is GoogleTest's
  *out << name_of(each);
}

}  // namespace tests

// GoogleTest looks for it beside the type.
namespace ipc {
inline void PrintTo(const AnyChannel& channel, std::ostream* out) {  // NOLINT
  *out << channel.name;
}
}  // namespace ipc
