// What a run says: figures by row, and what its catalog tells about them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/run_file.hpp"
#include "results/statistics/median.hpp"

namespace results {

// Values of keys that a name must have: "a|b" for either. An empty value stands for "does not have
// the key".
using Keys = std::vector<std::pair<std::string_view, std::string_view>>;

bool matches(const Name& name, std::string_view scenario, const Keys& keys);

// The rows of a run, each with the summaries of its figures over launches.
class Measurements {
 public:
  explicit Measurements(const Run& run);

  // Every row once, in the order of the run file.
  [[nodiscard]] const std::vector<Name>& names() const { return names_; }
  [[nodiscard]] std::vector<Name> names(std::string_view scenario, const Keys& keys) const;

  // Nothing when the row was not measured or does not have this figure.
  [[nodiscard]] std::optional<Summary> summary(const Name& name, std::string_view figure) const;

  // What the launches said of it in words, each once: "told or not told". Empty when nothing.
  [[nodiscard]] std::string label(const Name& name) const;

  [[nodiscard]] bool has(const Name& name) const { return figures_.count(name) > 0; }

  // How many launches measured the row that was measured most often.
  [[nodiscard]] std::size_t launches() const { return launches_; }

 private:
  std::vector<Name> names_;
  std::map<Name, std::map<std::string, Summary, std::less<>>> figures_;
  std::map<Name, std::vector<std::string>> labels_;
  std::size_t launches_ = 0;
};

// The output of `catalog --json` that a run file carries. What it does not tell is unknown.
class Catalog {
 public:
  explicit Catalog(const Json& about);

  // Of the rows that a catalog lists, its order; every other value comes after them.
  [[nodiscard]] std::size_t position(std::string_view value) const;

  // Whether the channel or lock waits by keeping its CPU busy; of `owner_X` and `process_X`,
  // whether the channel X.
  [[nodiscard]] bool spins(std::string_view value) const;

  // Why there is no such row; empty when the catalog does not say.
  [[nodiscard]] std::string why_absent(const std::string& name) const;

  [[nodiscard]] const std::vector<Json>& channels() const { return channels_; }

 private:
  std::vector<Json> channels_;
  std::vector<Json> locks_;
  std::vector<std::string> order_;
  std::vector<Json> absent_;
};

}  // namespace results
