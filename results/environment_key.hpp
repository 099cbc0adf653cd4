// What two measurements must have in common before their figures are compared: the machine and the
// toolchain, as named fields that neither a restart nor another clock rate changes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "results/run_file.hpp"

namespace results {

// What a run file says, in buckets: "kernel" is "Linux 6.1", whatever the patch. A field is there
// when the file tells it.
struct EnvironmentKey {
  std::map<std::string, std::string> fields;

  // 16 hexadecimal digits that are the same for the same fields, in every build of this program.
  [[nodiscard]] std::string hash() const;

  // "cpu: AMD EPYC; cpus: 2; ...".
  [[nodiscard]] std::string text() const;

  friend bool operator==(const EnvironmentKey&, const EnvironmentKey&) = default;
};

// Of `Run::about`. Never fails: what is not told, or is of an unknown kind, is left out.
EnvironmentKey environment_key(const Json& about);

// "cpus: 2 and 4", one for each field that differs, by name; "not told" where only one side has it.
std::vector<std::string> differences(const EnvironmentKey& base, const EnvironmentKey& head);

}  // namespace results
