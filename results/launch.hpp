// One launch of one benchmark binary.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "results/process.hpp"
#include "results/run_file.hpp"

namespace results {

// A benchmark binary and what of it is to be measured.
struct Benchmark {
  std::filesystem::path program;
  std::string size;               // smoke, quick or full
  std::string filter;             // a regular expression of Google Benchmark, or empty
  std::vector<std::string> rows;  // the names that it will report, in order

  [[nodiscard]] std::string name() const { return program.filename().string(); }
};

struct Launch {
  std::vector<Json> rows;  // finished, errors included
  Json context;            // Google Benchmark's own
  bool interrupted = false;
  bool hung = false;
  std::string failure;  // one line, empty when all went well
  std::string row;      // that failed, or was being measured, as far as that is known
  std::string errors;   // what it wrote to standard error
};

// Asks a binary for the names of its rows and stores them. Returns one line when that fails.
std::string list_rows(Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence);

// Runs a binary. `on_row` is called after each finished row. Rows that were finished before it
// failed are kept; the failure names the row that was being measured.
Launch launch(const Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence,
              const std::function<void()>& on_row, const std::function<void()>& on_tick);

}  // namespace results
