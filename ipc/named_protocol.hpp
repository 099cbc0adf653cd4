// How an end comes from the process that has published a channel to one that attaches to it, over
// the socket of its entry: unix(7), one message each way.
//
//   who attaches:  greeting, side, message_bytes, channel
//   the owner:     greeting, verdict, message_bytes, channel, and the packed end if it is granted;
//                  then it hangs up
//
// Every field stands as it is in memory: both run on one machine, and `layout` says whether they
// were built from the same sources, as far as these matter.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ipc/fd.hpp"
#include "ipc/parcel.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// The one part that no layout changes.
struct NamedGreeting {
  std::array<char, 8> magic{'i', 'p', 'c', '-', 'n', 'a', 'm', 'e'};
  // One more whenever two processes would misunderstand each other: a change of these messages, of
  // what an end packs, or of what lies in shared memory.
  std::uint32_t layout = 1;

  friend bool operator==(const NamedGreeting&, const NamedGreeting&) = default;
};

enum class Side : std::uint8_t { sender, receiver };
enum class Verdict : std::uint8_t { granted, taken, other_channel, messages_too_short };

// The name of a mechanism, or as much of it as there is room for.
class ChannelName {
 public:
  ChannelName() = default;
  explicit ChannelName(std::string_view name) {
    name.substr(0, text_.size()).copy(text_.data(), text_.size());
  }
  [[nodiscard]] std::string text() const {
    return {text_.begin(), std::find(text_.begin(), text_.end(), '\0')};
  }
  friend bool operator==(const ChannelName&, const ChannelName&) = default;

 private:
  std::array<char, 64> text_{};
};

// What is asked for (What is a Side), or what there is (a Verdict).
template <class What>
struct NamedMessage {
  What what;
  std::uint64_t message_bytes;  // the channel must carry messages of this length, or does
  ChannelName channel;

  // Field by field: the gaps of a struct would carry what was in memory before.
  void pack(Parcel& parcel) const {
    parcel.put(NamedGreeting{});
    parcel.put(what);
    parcel.put(message_bytes);
    parcel.put(channel);
  }
  // Requires that the greeting was taken, and found to be ours.
  static NamedMessage take(Parcel& parcel) {
    const auto what = parcel.take<What>();
    const auto message_bytes = parcel.take<std::uint64_t>();
    return {what, message_bytes, parcel.take<ChannelName>()};
  }
};
using NamedRequest = NamedMessage<Side>;
using NamedOffer = NamedMessage<Verdict>;

// The user at the other end of a connected Unix socket, as the kernel saw it (unix(7)).
inline uid_t peer_user(const Fd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  check("getsockopt(SO_PEERCRED)",
        [&] { return ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size); });
  return peer.uid;
}

}  // namespace ipc
