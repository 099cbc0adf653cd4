// What a store says about one row in the course of time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "results/history/scan.hpp"
#include "results/history/store.hpp"

namespace results {

// One run's say about one row in one metric, in base units.
struct RowPoint {
  int run = 0;
  std::string started;
  std::string commit;
  std::string environment;  // the hash of what must be alike for figures to compare
  std::string size;
  int version = 0;
  int launches = 0;
  double median = 0;
  double lower = 0;
  double upper = 0;
};

// By the time of measuring. Throws Failure(usage) when the store has no such row or metric.
std::vector<RowPoint> read_row(Transaction& transaction, const std::string& row,
                               const std::string& metric);

// What `scan` takes: the rows that `takes` accepts, split by environment and by the size of runs.
struct RowHistory {
  std::vector<int> runs;       // Point::run is an index into these, which are in order of time
  std::vector<Series> series;  // of rows that were measured, each with one point at least
};
RowHistory read_history(Transaction& transaction, const std::vector<std::string>& metrics,
                        const std::function<bool(const std::string& row)>& takes);

}  // namespace results
