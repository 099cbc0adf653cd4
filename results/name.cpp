#include "results/name.hpp"

#include <algorithm>
#include <array>

namespace results {
namespace {

bool says_how_it_was_measured(std::string_view part) {
  constexpr std::array<std::string_view, 3> clocks = {"manual_time", "real_time", "process_time"};
  constexpr std::array<std::string_view, 4> settings = {
      "iterations:", "min_time:", "min_warmup_time:", "repeats:"};
  return std::find(clocks.begin(), clocks.end(), part) != clocks.end() ||
         std::any_of(settings.begin(), settings.end(),
                     [&](std::string_view setting) { return part.starts_with(setting); });
}

}  // namespace

std::string_view Name::value(std::string_view key) const {
  for (const auto& [name, value] : keys) {
    if (name == key) return value;
  }
  return {};
}

Name Name::with(std::string_view key, std::string_view value) const {
  Name changed = *this;
  for (auto& [name, old] : changed.keys) {
    if (name == key) {
      old = value;
      return changed;
    }
  }
  changed.keys.emplace_back(key, value);
  return changed;
}

std::string Name::text() const {
  std::string all = scenario;
  for (const auto& [key, value] : keys) all += "/" + key + ":" + value;
  return all;
}

Name parse_name(std::string_view text) {
  Name name;
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    const std::string_view part = text.substr(0, slash);
    text = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
    const std::size_t colon = part.find(':');
    if (name.scenario.empty()) {
      name.scenario = part;
    } else if (says_how_it_was_measured(part)) {
      continue;
    } else if (colon == std::string_view::npos || colon == 0) {
      name.scenario += "/";
      name.scenario += part;
    } else {
      name.keys.emplace_back(part.substr(0, colon), part.substr(colon + 1));
    }
  }
  return name;
}

}  // namespace results
