#include "ipc/all_channels.hpp"

#include <array>

#include "ipc/channels.hpp"

namespace ipc {

namespace {

template <class... Cs>
struct Erased {
  static constexpr std::array<AnyChannel, sizeof...(Cs)> list{any_channel<Cs>()...};
};

}  // namespace

std::span<const AnyChannel> all_channels() {
  return AllChannels::into<Erased>::list;
}

}  // namespace ipc
