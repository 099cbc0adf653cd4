// One launch of one benchmark binary.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "results/measure/process.hpp"
#include "results/run_file.hpp"

namespace results {

// A benchmark binary and what of it is to be measured.
struct Benchmark {
  std::filesystem::path program;
  std::vector<std::string> arguments = {};  // for each launch, before the ones that choose rows
  std::vector<std::string> rows = {};       // the names that it will report, in order
  bool every_row = true;                    // that it has; otherwise it is asked for these by name

  [[nodiscard]] std::string name() const { return program.filename().string(); }
};

struct Launch {
  std::vector<Json> rows;  // finished, errors included
  Json context;            // Google Benchmark's own
  bool interrupted = false;
  std::vector<std::string> failures;  // a line each
  std::string broken;                 // the row that crashed or hung, as far as that is known
  bool may_go_on = false;             // the rows after the broken one may be measured all the same
  std::string errors;                 // what it wrote to standard error
};

// Asks a binary for the names of all its rows and stores them. Returns one line when that fails.
std::string list_rows(Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence);

// The expression of Google Benchmark that takes these rows and no other.
std::string filter_for(const std::vector<std::string>& rows);

// Runs a binary. `on_row` is called after each finished row. Rows that were finished before it
// failed are kept; it is silent for `silence` when its own watchdog failed, too.
Launch launch(const Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence,
              const std::function<void()>& on_row, const std::function<void()>& on_tick);

}  // namespace results
