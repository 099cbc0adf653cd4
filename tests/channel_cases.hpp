// Every channel, between threads and between processes: what parameterized tests run over.
#pragma once

#include <cctype>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/adapted_channels.hpp"
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
  while (name.ends_with('>')) name.pop_back();
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

// Whatever an adapter makes of a channel keeps the contract too. Watched is left out where it does
// nothing.
inline std::vector<ipc::AnyChannel> adapted_channels() {
  const auto composed = ipc::composed_channels();
  std::vector<ipc::AnyChannel> channels(composed.begin(), composed.end());
  for (std::size_t i = 0; i < ipc::all_channels().size(); ++i) {
    if (ipc::all_channels()[i].traits.tells_of_peer_death()) continue;
    channels.push_back(ipc::watched_channels()[i]);
  }
  return channels;
}

inline std::vector<ipc::AnyChannel> between_processes(std::span<const ipc::AnyChannel> all) {
  std::vector<ipc::AnyChannel> channels;
  for (const ipc::AnyChannel& channel : all) {
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
