#include "results/gate/settings.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/failure.hpp"
#include "results/run_file.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& file, const toml::source_region& place,
                       std::string_view what) {
  throw Failure(Exit::usage, fmt::format("{}:{}: {}", file.string(), place.begin.line, what));
}

// A value as it stands in the file, on one line.
std::string source_text(const toml::node& node) {
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  std::string line = text.str();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

toml::table read_toml(const fs::path& file) {
  const std::string text = read_text(file);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(file, error.source(), error.description());
  }
}

Settings::Settings(const fs::path& file, const toml::table& table,
                   std::initializer_list<std::string_view> keys)
    : file_(file), table_(table) {
  for (const auto& [key, node] : table) {
    if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
      fail(file, key.source(),
           fmt::format("{}: is unknown; known are {}", key.str(), fmt::join(keys, ", ")));
    }
  }
}

void Settings::reject(std::string_view key, const toml::node& node, std::string_view what) const {
  fail(file_, node.source(), fmt::format("{}: is {}, {}", key, source_text(node), what));
}

void Settings::reject(std::string_view key, std::string_view what) const {
  reject(key, *table_.get(key), what);
}

void Settings::require(std::initializer_list<std::string_view> keys) const {
  for (const std::string_view key : keys) {
    if (!table_.contains(key)) fail(file_, table_.source(), fmt::format("{}: is missing", key));
  }
}

void Settings::read(std::string_view key, double& value, double low, double high) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return;
  if (!node->is_number()) reject(key, *node, "must be a number");
  const double number = *node->value<double>();
  // Written so that NaN is refused too.
  if (!(number >= low && number <= high)) {
    reject(key, *node, fmt::format("must be from {} to {}", low, high));
  }
  value = number;
}

std::string Settings::text(std::string_view key, const toml::node& node) const {
  if (!node.is_string()) reject(key, node, "must be a text");
  std::string text = **node.as_string();
  if (text.empty()) reject(key, node, "must not be empty");
  return text;
}

void Settings::read(std::string_view key, std::string& value) const {
  if (const toml::node* node = table_.get(key)) value = text(key, *node);
}

void Settings::read(std::string_view key, std::chrono::year_month_day& value) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return;
  if (!node->is_date()) reject(key, *node, "must be a date, as 2026-12-31");
  const toml::date date = **node->as_date();
  value = std::chrono::year(date.year) / date.month / date.day;
}

std::vector<const toml::node*> Settings::elements(std::string_view key) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return {};
  if (!node->is_array()) reject(key, *node, "must be a list, as [\"...\"]");
  std::vector<const toml::node*> all;
  for (const toml::node& element : *node->as_array()) all.push_back(&element);
  return all;
}

void Settings::read(std::string_view key, std::vector<std::string>& values) const {
  if (!table_.contains(key)) return;
  values.clear();
  for (const toml::node* element : elements(key)) values.push_back(text(key, *element));
}

RowExpression Settings::expression(std::string_view key, const toml::node& node) const {
  try {
    return RowExpression(text(key, node));
  } catch (const std::regex_error& error) {
    reject(key, node, fmt::format("which is no expression: {}", error.what()));
  }
}

RowExpression Settings::expression(std::string_view key) const {
  return expression(key, *table_.get(key));
}

void Settings::read(std::string_view key, std::vector<RowExpression>& values) const {
  if (!table_.contains(key)) return;
  values.clear();
  for (const toml::node* element : elements(key)) values.push_back(expression(key, *element));
}

std::vector<const toml::table*> Settings::tables(std::string_view key) const {
  std::vector<const toml::table*> all;
  for (const toml::node* element : elements(key)) {
    if (!element->is_table()) reject(key, *element, "must be a table");
    all.push_back(element->as_table());
  }
  return all;
}

}  // namespace results
