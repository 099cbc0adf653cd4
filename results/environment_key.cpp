#include "results/environment_key.hpp"

#include <cstdint>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace results {
namespace {

// Fowler, Noll and Vo's hash (FNV-1a, 64 bits): short, and the same everywhere.
std::uint64_t fnv_1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

// Empty where it is not told.
std::string text_at(const Json& about, const char* pointer) {
  const Json::json_pointer path(pointer);
  if (!about.is_object() || !about.contains(path) || about.at(path).is_structured()) return {};
  const Json& value = about.at(path);
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// "Linux 6.1.0-25-amd64" -> "Linux 6.1".
std::string kernel_bucket(const std::string& kernel) {
  static const std::regex version(R"(^(.*?\d+\.\d+).*$)");
  return std::regex_replace(kernel, version, "$1");
}

// "Mitigation: Retpolines; STIBP: disabled" -> "Mitigation: Retpolines".
std::string mitigation_bucket(const std::string& state) {
  return state.substr(0, state.find(';'));
}

// "32K, 32K, 1024K, 32768K": sizes tell processors apart where no model is told.
std::string cache_sizes(const Json& about) {
  const Json::json_pointer path("/machine/caches");
  std::vector<std::string> sizes;
  if (!about.is_object() || !about.contains(path)) return {};
  for (const Json& cache : about.at(path)) sizes.push_back(text_at(cache, "/size"));
  return fmt::format("{}", fmt::join(sizes, ", "));
}

}  // namespace

EnvironmentKey environment_key(const Json& about) {
  EnvironmentKey key;
  const auto add = [&](const std::string& field, const std::string& value) {
    if (!value.empty()) key.fields.emplace(field, value);
  };
  for (const char* field : {"cpu", "cpus", "sockets", "cores", "smt", "virtualization",
                            "architecture", "governor", "turbo", "aslr", "cpu_quota", "scaling"}) {
    add(field, text_at(about, fmt::format("/machine/{}", field).c_str()));
  }
  add("caches", cache_sizes(about));
  add("kernel", kernel_bucket(text_at(about, "/machine/kernel")));
  const Json::json_pointer mitigations("/machine/mitigations");
  if (about.is_object() && about.contains(mitigations) && about.at(mitigations).is_object()) {
    for (const auto& [name, state] : about.at(mitigations).items()) {
      if (state.is_string()) add("mitigation " + name, mitigation_bucket(state.get<std::string>()));
    }
  }
  add("compiler", text_at(about, "/build/compiler"));
  add("build type", text_at(about, "/build/type"));
  const std::string flags = text_at(about, "/build/flags");
  if (!flags.empty()) add("flags", fmt::format("{:016x}", fnv_1a(flags)));
  for (const char* library : {"boost", "benchmark", "benchmark_type", "glibc"}) {
    add(library, text_at(about, fmt::format("/build/libraries/{}", library).c_str()));
  }
  return key;
}

std::string EnvironmentKey::text() const {
  std::vector<std::string> parts;
  for (const auto& [field, value] : fields) parts.push_back(fmt::format("{}: {}", field, value));
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string EnvironmentKey::hash() const {
  return fmt::format("{:016x}", fnv_1a(text()));
}

std::vector<std::string> differences(const EnvironmentKey& base, const EnvironmentKey& head) {
  std::set<std::string> names;
  for (const auto& [field, value] : base.fields) names.insert(field);
  for (const auto& [field, value] : head.fields) names.insert(field);
  const auto told = [](const EnvironmentKey& key, const std::string& name) {
    const auto found = key.fields.find(name);
    return found == key.fields.end() ? std::string("not told") : found->second;
  };
  std::vector<std::string> lines;
  for (const std::string& name : names) {
    const std::string left = told(base, name), right = told(head, name);
    if (left != right) lines.push_back(fmt::format("{}: {} and {}", name, left, right));
  }
  return lines;
}

}  // namespace results
