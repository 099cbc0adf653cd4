// Two builds of the same benchmarks: which rows they have, and where.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/compare/comparison.hpp"
#include "results/measure/launch.hpp"

namespace results {

// What to compare. Any program that was built with Google Benchmark will do.
struct BuildsOptions {
  std::filesystem::path base;  // a folder of benchmark binaries, or one binary
  std::filesystem::path head;
  std::vector<std::string> binaries = {};  // their names; empty: whatever lists benchmarks
  std::vector<std::string> rows = {};  // expressions, of which a row matches one; empty: all rows
  std::vector<std::string> arguments = {};  // for each launch
};

// A row that both builds have.
struct Subject {
  std::string name;
  Benchmark base;  // the binary, asked for this row alone
  Benchmark head;
  bool identical = false;  // both sides run the same bytes, loaded libraries included
};

struct Subjects {
  std::vector<Subject> rows;        // in the order in which base lists them
  std::vector<Comparison> missing;  // rows of base that head lacks, binaries that cannot be asked
  std::vector<std::string> added;   // rows that only head has: nothing to compare them with
  std::vector<std::string> notes;   // what was left out, a line each
};

// Asks each binary for its rows. `silence` is how long one may say nothing.
// Throws Failure(usage) when a path or an expression is bad, Failure(benchmark) when neither build
// has a row to compare, Failure(interrupted).
Subjects find_subjects(const BuildsOptions& options, StopSignals& stop,
                       std::chrono::milliseconds silence);

// Whether two programs are the same bytes, and load libraries that are. False for scripts, whose
// bytes do not tell what they run, and where the dynamic linker is silent for too long.
bool same_program(const std::filesystem::path& one, const std::filesystem::path& other,
                  StopSignals& stop, std::chrono::milliseconds silence);

}  // namespace results
