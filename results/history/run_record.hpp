// What the store keeps of a run file.
#pragma once

#include <string>
#include <vector>

#include "results/environment_key.hpp"
#include "results/run_file.hpp"

namespace results {

// What the launches of one run say about one figure of one row.
struct CellRecord {
  std::string benchmark;  // as Name::text() writes it
  std::string metric;     // "real_time_ns", ...; in base units
  int version = 1;        // of the benchmark: values of two versions do not compare
  int launches = 0;
  double median = 0;
  double lower = 0;  // bounds of the median, see statistics/median.hpp
  double upper = 0;
  std::vector<double> values = {};  // one per launch; empty when they were pruned

  friend bool operator==(const CellRecord&, const CellRecord&) = default;
};

struct RunRecord {
  std::string content_id;      // the same for the same measurements, wherever they were copied
  std::string source;          // the name of the file
  std::string started;         // ISO 8601, UTC
  std::string size;            // "smoke", "quick", "full"
  Json build;                  // compiler, flags, commit
  EnvironmentKey environment;  // what must be alike for figures to compare
  std::vector<CellRecord> cells = {};
};

// A row's figure "version", when there is one, is the version of the benchmark.
// Throws Failure(usage) when the run does not say when it started, when a version is not a whole
// number from 1 to a million, or when a benchmark is there in two versions.
RunRecord record_of(const Run& run);

}  // namespace results
