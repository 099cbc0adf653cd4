// Runs in a store: add, list, read, and drop what may be dropped.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/history/run_record.hpp"
#include "results/history/store.hpp"

namespace results {

// A line of the list of runs.
struct StoredRun {
  int id = 0;
  std::string started;
  std::string source;
  std::string size;
  std::string commit;  // of the build; empty when it was not known
  std::string environment_hash;
  int cells = 0;
};

struct Added {
  int id;       // of the run in the store
  bool is_new;  // false when a run with this content was there; nothing is changed then
};

// Adds a run with all its cells. Names that were given up (see benchmarks.hpp) become the new ones.
// Requires a transaction that writes. Throws Failure(usage) when two cells are of one benchmark and
// metric, as when a run holds a benchmark under its old name and under its new one.
Added add_run(Transaction& transaction, const RunRecord& record);

// All runs, by the time at which they were measured.
std::vector<StoredRun> list_runs(Transaction& transaction);

// The numbers of all runs, in the same order.
std::vector<int> run_numbers(Transaction& transaction);

// The number of the run with this content; nothing when there is none.
std::optional<int> find_run(Transaction& transaction, const std::string& content_id);

// A run as it was added, under the names that benchmarks have now; nothing when there is none.
std::optional<RunRecord> read_run(Transaction& transaction, int id);

// The cells of a run without the values of its launches, ordered by benchmark and metric.
std::vector<CellRecord> read_cells(Transaction& transaction, int run_id);

// Drops the values of single launches, except those of the `keep` runs that were measured last.
// Medians and their bounds stay. Returns how many runs had values to drop.
int prune_values(Transaction& transaction, int keep);

}  // namespace results
