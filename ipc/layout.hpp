// What lies in shared memory, and in which version: the first words of every header there. A peer
// may be another program, an older build of this one, or broken.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"

namespace ipc {

// Memory that a peer wrote and that cannot be what it claims to be.
[[noreturn]] inline void throw_damaged(const std::string& what) {
  throw std::runtime_error("shared memory is damaged: " + what);
}

struct Layout {
  static constexpr std::uint32_t our_magic = 0x69706363;
  // One more with every change of what any header means.
  static constexpr std::uint32_t our_version = 1;

  std::uint32_t magic = our_magic;
  std::uint32_t version = our_version;
  std::array<char, 24> kind{};

  explicit Layout(std::string_view name) {
    std::copy_n(name.data(), std::min(name.size(), kind.size()), kind.data());
  }

  // Throws std::runtime_error unless this is what Layout(name) writes.
  void check(std::string_view name) const {
    const Layout theirs = *this;  // copied, then checked: the memory is the peer's too
    if (theirs.magic != our_magic) throw_damaged("it does not begin with the mark of this program");
    if (theirs.version != our_version) {
      throw std::runtime_error("shared memory has layout version " +
                               std::to_string(theirs.version) + ", this program has " +
                               std::to_string(our_version) +
                               "; use the same version of the program on both sides");
    }
    if (theirs.kind != Layout(name).kind) {
      const auto end = std::find(theirs.kind.begin(), theirs.kind.end(), '\0');
      throw std::runtime_error("shared memory holds \"" + std::string(theirs.kind.begin(), end) +
                               "\" where \"" + std::string(name) + "\" was expected");
    }
  }
};

// The header that a creator has constructed at the start of shared memory. It begins with
// `Layout layout{kind}`. Throws std::runtime_error when the memory is too small or holds another.
template <class Header>
Header& attach_header(Buffer memory) {
  if (memory.size() < sizeof(Header)) {
    throw_damaged("it has " + std::to_string(memory.size()) + " bytes, its header alone has " +
                  std::to_string(sizeof(Header)));
  }
  auto& header = *reinterpret_cast<Header*>(memory.data());
  header.layout.check(Header::kind);
  return header;
}

}  // namespace ipc
