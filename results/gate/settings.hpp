// A file that people write in TOML (https://toml.io), read without guessing: what is not understood
// is refused, with its line.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "results/gate/policy.hpp"

namespace results {

// Reads a document, or throws Failure(usage) that names the file and the line.
toml::table read_toml(const std::filesystem::path& file);

// One table of a document, which must outlive it. What is of another kind or out of its range ends
// in Failure(usage) that names file, line, key, value and limit.
class Settings {
 public:
  // Requires that no key but these is there.
  Settings(const std::filesystem::path& file, const toml::table& table,
           std::initializer_list<std::string_view> keys);

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }

  // Each leaves `value` as it is where the key is not there.
  void read(std::string_view key, double& value, double low, double high) const;
  void read(std::string_view key, std::string& value) const;  // that is not empty
  void read(std::string_view key, std::chrono::year_month_day& value) const;
  void read(std::string_view key, std::vector<std::string>& values) const;
  void read(std::string_view key, std::vector<RowExpression>& values) const;
  template <class Whole>
  void read_whole(std::string_view key, Whole& value, Whole low, Whole high) const {
    double number = static_cast<double>(value);
    read(key, number, static_cast<double>(low), static_cast<double>(high));
    if (number != static_cast<double>(static_cast<Whole>(number))) {
      reject(key, "must be a whole number");
    }
    value = static_cast<Whole>(number);
  }

  // The tables of an array; none where the key is not there.
  [[nodiscard]] std::vector<const toml::table*> tables(std::string_view key) const;

  // Requires that the key is there.
  [[nodiscard]] RowExpression expression(std::string_view key) const;

  void require(std::initializer_list<std::string_view> keys) const;

  // Throws the Failure: "FILE:LINE: KEY: is VALUE, WHAT". Requires that the key is there.
  [[noreturn]] void reject(std::string_view key, std::string_view what) const;

 private:
  [[noreturn]] void reject(std::string_view key, const toml::node& node,
                           std::string_view what) const;
  [[nodiscard]] std::vector<const toml::node*> elements(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key, const toml::node& node) const;
  [[nodiscard]] RowExpression expression(std::string_view key, const toml::node& node) const;

  const std::filesystem::path& file_;
  const toml::table& table_;
};

}  // namespace results
