// `ipc-compare run`: launches the benchmark binaries in rounds and writes one run file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "results/failure.hpp"

namespace results {

struct RunOptions {
  std::filesystem::path bin;   // the folder of the benchmark binaries
  std::filesystem::path out;   // a file *.json, or a folder for one named after date and time
  std::string size = "quick";  // smoke, quick or full
  std::string filter;          // a regular expression for names of rows, or empty
  int rounds = 0;              // 0: as many as the size asks for
  std::uint64_t seed = 0;      // for the order of launches within a round
  std::chrono::milliseconds row_timeout{};  // should a binary's own watchdog fail
};

// Measures, reports progress and failures on standard error, and says on standard output where the
// run file is. Returns ok, benchmark or interrupted; what was finished is written in any case.
// Throws Failure when nothing can be measured, or when the file cannot be written.
Exit run(const RunOptions& options);

// How many rounds to do in all: `wanted`, or as many as are expected to fit into the budget, but at
// least those that are `done`. Requires `done` >= 1.
int rounds_within(std::chrono::duration<double> budget, int wanted, int done,
                  std::chrono::duration<double> elapsed);

}  // namespace results
