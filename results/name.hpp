// The name of a row: scenario/key:value/key:value/..., the most significant key first.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace results {

struct Name {
  std::string scenario;
  std::vector<std::pair<std::string, std::string>> keys;

  // The value of a key; empty when the name does not have it.
  [[nodiscard]] std::string_view value(std::string_view key) const;

  // The same name with another value for a key, which is added when it is not there.
  [[nodiscard]] Name with(std::string_view key, std::string_view value) const;

  [[nodiscard]] std::string text() const;

  friend auto operator<=>(const Name&, const Name&) = default;
};

// Reads any name that Google Benchmark writes. What it appends about the way of measuring
// (/manual_time, /iterations:10, ...) is not part of the name; a part that has no ':' belongs to
// the scenario, so that names of other projects stay apart from each other.
Name parse_name(std::string_view text);

}  // namespace results
