#include "results/publish/measurements.hpp"

#include <algorithm>
#include <regex>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace results {
namespace {

std::vector<Json> list(const Json& object, const char* key) {
  std::vector<Json> items;
  if (!object.contains(key) || !object.at(key).is_array()) return items;
  for (const Json& item : object.at(key)) {
    if (item.is_object()) items.push_back(item);
  }
  return items;
}

std::string text(const Json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>()
                                                            : std::string();
}

bool is_one_of(std::string_view value, std::string_view alternatives) {
  for (std::size_t bar; (bar = alternatives.find('|')) != std::string_view::npos;) {
    if (value == alternatives.substr(0, bar)) return true;
    alternatives.remove_prefix(bar + 1);
  }
  return value == alternatives;
}

}  // namespace

bool matches(const Name& name, std::string_view scenario, const Keys& keys) {
  return name.scenario == scenario && std::all_of(keys.begin(), keys.end(), [&](const auto& key) {
           return is_one_of(name.value(key.first), key.second);
         });
}

Measurements::Measurements(const Run& run) {
  // Per figure and launch the values of its repetitions, of which the median stands for the launch.
  using Launches = std::map<int, std::vector<double>>;
  std::map<Name, std::map<std::string, Launches>> values;
  for (const Row& row : run.rows) {
    const auto [entry, is_new] = values.try_emplace(row.name);
    if (is_new) names_.push_back(row.name);
    auto& labels = labels_[row.name];
    if (!row.label.empty() && std::find(labels.begin(), labels.end(), row.label) == labels.end()) {
      labels.push_back(row.label);
    }
    for (const auto& [figure, value] : row.figures)
      entry->second[figure][row.launch].push_back(value);
  }
  for (const auto& [name, figures] : values) {
    for (const auto& [figure, launches] : figures) {
      std::vector<double> per_launch;
      for (const auto& launch : launches) per_launch.push_back(median(launch.second));
      launches_ = std::max(launches_, per_launch.size());
      figures_[name].emplace(figure, summarize(per_launch));
    }
  }
}

std::vector<Name> Measurements::names(std::string_view scenario, const Keys& keys) const {
  std::vector<Name> found;
  std::copy_if(names_.begin(), names_.end(), std::back_inserter(found),
               [&](const Name& name) { return matches(name, scenario, keys); });
  return found;
}

std::optional<Summary> Measurements::summary(const Name& name, std::string_view figure) const {
  const auto row = figures_.find(name);
  if (row == figures_.end()) return std::nullopt;
  const auto found = row->second.find(figure);
  if (found == row->second.end()) return std::nullopt;
  return found->second;
}

std::string Measurements::label(const Name& name) const {
  const auto found = labels_.find(name);
  return found == labels_.end() ? std::string()
                                : fmt::format("{}", fmt::join(found->second, " or "));
}

Catalog::Catalog(const Json& about) {
  if (!about.contains("catalog") || !about.at("catalog").is_object()) return;
  const Json& catalog = about.at("catalog");
  channels_ = list(catalog, "channels");
  locks_ = list(catalog, "locks");
  absent_ = list(catalog, "absent");
  for (const char* kind : {"locks", "pools", "other_pools", "channels", "notifiers"}) {
    for (const Json& item : list(catalog, kind)) order_.push_back(text(item, "name"));
  }
}

std::size_t Catalog::position(std::string_view value) const {
  return static_cast<std::size_t>(std::find(order_.begin(), order_.end(), value) - order_.begin());
}

bool Catalog::spins(std::string_view value) const {
  const auto named = [&](const Json& item) {
    return item.value("spins", false) && value == text(item, "name");
  };
  const auto over = [&](const Json& channel) {
    const std::string name = text(channel, "name");
    return channel.value("spins", false) && !name.empty() && value.ends_with("_" + name);
  };
  return std::ranges::any_of(locks_, named) || std::ranges::any_of(channels_, named) ||
         std::ranges::any_of(channels_, over);
}

std::string Catalog::why_absent(const std::string& name) const {
  for (const Json& rule : absent_) {
    const std::string rows = text(rule, "rows");
    bool covers = name.starts_with(rows);
    try {
      covers = covers || std::regex_search(name, std::regex(rows));
    } catch (const std::regex_error&) {
      // Then it is the beginning of a name and nothing else.
    }
    if (covers && !rows.empty()) return text(rule, "reason");
  }
  return {};
}

}  // namespace results
