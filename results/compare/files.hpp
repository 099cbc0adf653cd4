// Two files of measurements, which were made at different times: what differs, from whatever cause.
// That head is to blame nobody can tell from them; for that, two builds are measured in turn.
#pragma once

#include <string>
#include <vector>

#include "results/compare/comparison.hpp"
#include "results/run_file.hpp"

namespace results {

// For how many rows were looked at: Holm; Benjamini and Hochberg; not at all.
enum class Correction { holm, bh, none };

struct FilesOptions {
  std::vector<std::string> metrics{"real_time_ns"};
  std::string filter;   // an expression, found in the names of rows; empty: all
  double floor = 0;     // as an effect: ln(1.02) for 2 %
  double alpha = 0.05;  // of the corrected p, below which something is said to be shown
  Correction correction = Correction::bh;
  bool allow_other_machine = false;
};

struct FilesComparison {
  std::vector<Comparison> rows;  // in the order of base; then what only head has
  std::vector<std::string> notes;
};

// Of each launch one value counts, the median of its repetitions; of a file that is one launch,
// each repetition. No verdict is `regression` or `improvement`.
// Throws Failure(usage) for files or options that do not belong together, and Failure(inconclusive)
// that names the fields when the files are of different environments, unless that is allowed.
FilesComparison compare_files(const Run& base, const Run& head, const FilesOptions& options);

}  // namespace results
