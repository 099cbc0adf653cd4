// Run files: Google Benchmark's JSON, which its own tools read, with an object "ipc_compare" added
// to its context and the fields "binary" and "launch" added to each entry of "benchmarks".
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "results/name.hpp"

namespace results {

using Json = nlohmann::ordered_json;

inline constexpr int schema = 1;  // of the object "ipc_compare"

// In base units: ns, bytes, 1/s. "real_time_ns", "cpu_time_ns" and every counter.
using Figures = std::map<std::string, double, std::less<>>;

// Those of an entry of Google Benchmark. Empty when its unit of time is none of ns, us, ms, s.
Figures figures_of(const Json& entry);

// What one launch says about one row.
struct Row {
  Name name;
  int launch = 0;
  Figures figures;
  std::string label = {};  // what figures do not say; may be empty
};

struct Run {
  std::string file;  // where it was read from
  Json about;        // the object "ipc_compare"
  std::vector<Row> rows;
  std::vector<std::string> failed;  // rows that reported an error; they have no figures
  bool is_one_launch = false;       // then `launch` of its rows counts their repetitions

  // A member of `about` by its path, as text; empty when it is not there.
  [[nodiscard]] std::string text(const std::string& pointer) const;
};

// Reads and checks a run file, or throws Failure(usage) that names the file and the place.
Run read_run_file(const std::filesystem::path& file);

// Reads a run file, or what any other program that was built with Google Benchmark wrote. Such a
// file is one launch, and `about` holds what its context tells of the machine and the library.
Run read_measurements(const std::filesystem::path& file);

// Joins what was measured on one machine with one build and one size; launches are numbered on.
// Throws Failure(usage) for files that do not belong together. Requires at least one run.
Run join(std::vector<Run> runs);

// The entries of a document of Google Benchmark that is complete up to its end or, if it was cut
// off, up to the last complete entry; empty when it is neither.
struct Entries {
  Json context;
  std::vector<Json> rows;
  bool complete = false;
  std::string problem;  // what is wrong with it, when not complete
};
Entries read_entries(const std::string& document);

// The whole of a file, which is not empty, or throws Failure(usage).
std::string read_text(const std::filesystem::path& file);

// Replaces the file in one step and durably: a reader, or a crash, finds the old or the new text.
// Throws Failure(output).
void write_atomically(const std::filesystem::path& file, std::string_view text);

// Creates the folder of `file` and tries to create a file in it, or throws Failure(output).
void require_writable(const std::filesystem::path& file);

}  // namespace results
