// Names that are put together at compile time: "process_" and "pipe".
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace ipc {

template <const std::string_view&... parts>
struct JoinedName {
  static constexpr auto characters = [] {
    std::array<char, (parts.size() + ...)> all{};
    auto* to = all.begin();
    ((to = std::copy(parts.begin(), parts.end(), to)), ...);
    return all;
  }();
  static constexpr std::string_view value{characters.data(), characters.size()};
};

}  // namespace ipc
